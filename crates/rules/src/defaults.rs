//! The rules that every workspace has: one for each documented type, as data in the language of all rules.
//!
//! They say that something happened, to what, and by whom. Field values, error texts and logs are told only by a
//! rule that names them.

use std::sync::Arc;

use crate::error::RuleError;
use crate::rule::Rule;
use crate::source::RuleSource;

const TEXT: &str = include_str!("defaults.json");

/// The built-in rules as they are written, for showing.
pub fn default_sources() -> Vec<RuleSource> {
    // A test reads the same text.
    serde_json::from_str(TEXT).unwrap_or_default()
}

/// The built-in rules, compiled. `refused` as in [`Rule::compile`].
///
/// # Errors
/// Where `refused` has a key that one of them uses: `collection`, `actor` and the like.
pub fn defaults(refused: &[String]) -> Result<Vec<Arc<Rule>>, RuleError> {
    default_sources().into_iter().map(|source| Rule::compile(source, refused).map(Arc::new)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refused_by_default;

    #[test]
    fn the_text_is_well_formed_and_its_names_are_unique() {
        let sources: Vec<RuleSource> = serde_json::from_str(TEXT).unwrap();
        assert_eq!(sources, default_sources());
        let rules = defaults(&refused_by_default()).unwrap();
        assert_eq!(rules.len(), sources.len());
        assert!(crate::RuleSet::new(rules, &[]).is_ok(), "names are unique");
    }
}
