//! How far down each list of the inbox is in memory without a gap.

use serde::{Deserialize, Serialize};

use crate::inbox::Filter;

/// The place down to which each list was loaded: 0 is the end; `None`: not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Depths([Option<u64>; 4]);

impl Depths {
    /// Where nothing can be loaded: each list is what is in memory.
    pub const ALL: Self = Self([Some(0); 4]);

    /// Down to where the list of a filter is. The list without `unread` holds the unread ones as well.
    pub fn bottom(&self, filter: Filter) -> Option<u64> {
        let wider = Filter { unread: false, ..filter };
        let [own, wider] = [filter, wider].map(|filter| self.0[index(filter)]);
        own.into_iter().chain(wider).min()
    }

    /// A page of a filter came: the place of the next older one, 0 where there is none.
    pub fn reach(&mut self, filter: Filter, place: u64) {
        self.0[index(filter)] = Some(place);
    }

    /// From this place on the stream leaves no gap in the default list.
    pub fn begin(&mut self, place: u64) {
        self.0[index(Filter::default())].get_or_insert(place);
    }

    /// Nothing below this place is in memory any more.
    pub fn raise(&mut self, place: u64) {
        for depth in self.0.iter_mut().flatten() {
            *depth = place.max(*depth);
        }
    }
}

fn index(filter: Filter) -> usize {
    usize::from(filter.unread) + 2 * usize::from(filter.archived)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_list_has_its_depth_and_the_unread_ones_are_in_the_wider_list_too() {
        let all = Filter::default();
        let (unread, archived) = (Filter { unread: true, ..all }, Filter { archived: true, ..all });
        let mut depths = Depths::default();
        assert_eq!(depths.bottom(all), None);
        depths.begin(9);
        depths.begin(20);
        assert_eq!(
            (depths.bottom(all), depths.bottom(unread), depths.bottom(archived)),
            (Some(9), Some(9), None)
        );
        depths.reach(unread, 3);
        depths.reach(archived, 0);
        assert_eq!(
            (depths.bottom(all), depths.bottom(unread), depths.bottom(archived)),
            (Some(9), Some(3), Some(0))
        );
        depths.raise(5);
        assert_eq!(
            (depths.bottom(all), depths.bottom(unread), depths.bottom(archived)),
            (Some(9), Some(5), Some(5))
        );
        assert_eq!(Depths::ALL.bottom(Filter { unread: true, archived: true }), Some(0));
    }
}
