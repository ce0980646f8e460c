//! Bounds on rules and on what one evaluation may cost. A rule is written by an administrator and fed by
//! strangers' events, so neither is trusted with the process's time or memory.

/// Bytes of one template or expression.
pub const MAX_SOURCE_BYTES: usize = 8 * 1024;
/// Bytes of all texts of a rule.
pub const MAX_RULE_BYTES: usize = 64 * 1024;
/// Templates and expressions in the metadata of a rule.
pub const MAX_METADATA_TEXTS: usize = 100;
/// Characters of a rule's name.
pub const MAX_RULE_NAME: usize = 64;
/// Characters of a rule's description.
pub const MAX_DESCRIPTION_CHARS: usize = 1_000;
/// Patterns of types, or of sources, in one rule.
pub const MAX_PATTERNS: usize = 32;
/// Bytes of one such pattern.
pub const MAX_PATTERN_BYTES: usize = 255;

/// Lexical tokens of one expression: the parser and its tree cost memory and stack for each.
pub const MAX_EXPRESSION_TOKENS: usize = 600;
/// Brackets open at once, and prefix operators in a row, in one expression: the parser recurses for each.
pub const MAX_EXPRESSION_NESTING: usize = 24;
/// Depth of an expression's tree: the evaluator recurses for each.
pub const MAX_EXPRESSION_DEPTH: usize = 96;
/// `all`, `exists`, `exists_one`, `map` and `filter` within each other.
pub const MAX_LOOP_DEPTH: usize = 3;
/// Steps of all expressions of a rule on one event: a step is a node evaluated, an element visited or 32 bytes looked at. A
/// few milliseconds.
pub const MAX_STEPS: u64 = 200_000;
/// What the rules asked in one go may cost before others have their turn, in steps: a few milliseconds.
pub const SLICE: u64 = 200_000;
/// Bytes of the values made by all expressions of a rule on one event.
pub const MAX_EXPRESSION_BYTES: u64 = 4 * 1024 * 1024;
/// Bytes that an expression takes once it is compiled, about. A regular expression takes ten to some hundred thousand.
pub const MAX_TREE_BYTES: usize = 1024 * 1024;
/// Bytes that a rule takes once it is compiled, about. A hundred templates take 1 MiB; an ordinary rule takes 30 KiB.
pub const MAX_COMPILED_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of a text that a regular expression is matched with.
pub const MAX_MATCHED_BYTES: usize = 16 * 1024;
/// Bytes of a regular expression's compiled program.
pub const MAX_REGEX_BYTES: usize = 256 * 1024;

/// Lexical tokens of one template.
pub const MAX_TEMPLATE_TOKENS: usize = 600;
/// Brackets and blocks open at once in a template.
pub const MAX_TEMPLATE_NESTING: usize = 24;
/// `for` within `for`.
pub const MAX_TEMPLATE_LOOPS: usize = 2;
/// `~` and `+` of one template: each may double a text, and only these can make one longer.
pub const MAX_CONCATENATIONS: usize = 8;
/// Instructions of one template.
pub const TEMPLATE_FUEL: u64 = 10_000;
/// What all templates of a rule may do with one event: a unit is an element visited, or 8 to 32 bytes read.
pub const MAX_TEMPLATE_WORK: u64 = 200_000;
/// Bytes of any text that a template makes of a list, an object or by a filter.
pub const MAX_TEXT_BYTES: usize = 16 * 1024;

/// Bytes of a rendered message.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024;
/// Bytes of all rendered metadata, as JSON.
pub const MAX_METADATA_BYTES: usize = 32 * 1024;
/// Bytes of a rendered collapse key.
pub const MAX_COLLAPSE_KEY_BYTES: usize = 255;
/// Characters of an expiry date.
pub const MAX_EXPIRY_DATE_CHARS: usize = 64;
/// Milliseconds of the longest `ttl`: 365 days.
pub const MAX_TTL_MS: i64 = 365 * 24 * 60 * 60 * 1000;
