//! `[surfaces]`: what differs between the surfaces.

use std::time::Duration;

use campanile_model::Slug;
use serde::{Deserialize, Serialize};

use super::range::{within, within_time};
use super::{ConfigError, duration};

/// Every surface's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Surfaces {
    /// `/?token=…&workspaceSlug=…`
    pub workspace: SurfaceConfig,
    /// `/api/ws/notification?access_token=…`
    pub product: ProductSurface,
    /// `/v1/connect?workspace=…`, and the same as an event stream.
    pub native: NativeSurface,
}

/// How one surface treats its connections. The default is the workspace surface's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SurfaceConfig {
    /// Time without a client's frame and without a notification to it, 1 s to 7 d, after which the socket
    /// is closed; `None` (`"off"`): never. Default: 5 min (the protocol, §2).
    #[serde(with = "duration::or_off")]
    pub idle_timeout: Option<Duration>,
    /// Sockets of one user in one workspace, 1 to 1,024. Default: 1 (the protocol, §2).
    pub max_per_user: usize,
}

impl Default for SurfaceConfig {
    fn default() -> Self {
        Self { idle_timeout: Some(Duration::from_secs(5 * 60)), max_per_user: 1 }
    }
}

/// The product surface's settings. Its clients name no workspace, so it has one configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductSurface {
    /// Its workspace. Default: `default` (the protocol, §3).
    pub workspace: Slug,
    /// As [`SurfaceConfig::idle_timeout`]. Default: `None` (the protocol, §7).
    #[serde(with = "duration::or_off")]
    pub idle_timeout: Option<Duration>,
    /// As [`SurfaceConfig::max_per_user`]. Default: 16 (the protocol, §3).
    pub max_per_user: usize,
}

impl Default for ProductSurface {
    fn default() -> Self {
        let workspace = Slug::new("default").expect("`default` obeys the grammar of slugs");
        Self { workspace, idle_timeout: None, max_per_user: 16 }
    }
}

/// The native surface's settings. Its heartbeats keep idle connections, so it knows no idle time-out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NativeSurface {
    /// As [`SurfaceConfig::max_per_user`], of sockets and of streams each. Default: 16 (the protocol, §4).
    pub max_per_user: usize,
}

impl Default for NativeSurface {
    fn default() -> Self {
        Self { max_per_user: 16 }
    }
}

impl Surfaces {
    /// What the sockets of each surface are held to, in the order of [`campanile_wire::SURFACES`].
    pub fn limits(&self) -> [SurfaceConfig; 4] {
        let ProductSurface { idle_timeout, max_per_user, .. } = self.product;
        let native = SurfaceConfig { idle_timeout: None, max_per_user: self.native.max_per_user };
        [self.workspace, SurfaceConfig { idle_timeout, max_per_user }, native, native]
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let [workspace, product, native, _] = self.limits();
        within_time("surfaces.workspace.idle_timeout", workspace.idle_timeout, "1s", "7d")?;
        within("surfaces.workspace.max_per_user", workspace.max_per_user, 1..=1024)?;
        within_time("surfaces.product.idle_timeout", product.idle_timeout, "1s", "7d")?;
        within("surfaces.product.max_per_user", product.max_per_user, 1..=1024)?;
        within("surfaces.native.max_per_user", native.max_per_user, 1..=1024)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_stand_in_the_order_of_the_surfaces() {
        let surfaces = Surfaces::default();
        let limits = surfaces.limits();
        assert_eq!(limits.len(), campanile_wire::SURFACES.len());
        assert_eq!(limits[campanile_wire::WORKSPACE.index], surfaces.workspace);
        assert_eq!(limits[campanile_wire::PRODUCT.index].max_per_user, surfaces.product.max_per_user);
        for surface in [&campanile_wire::NATIVE, &campanile_wire::STREAM] {
            assert_eq!(limits[surface.index].max_per_user, surfaces.native.max_per_user);
        }
    }
}
