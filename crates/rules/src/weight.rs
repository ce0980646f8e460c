//! What a rule takes in memory. An administrator's few texts may compile to a hundred times their length.

use std::cell::Cell;

use crate::error::{Fault, Reason};
use crate::expression::Expression;
use crate::limits::MAX_COMPILED_BYTES;
use crate::template::Template;

/// Adds up what the texts of one rule take as they are compiled.
#[derive(Default)]
pub(crate) struct Weight(Cell<usize>);

impl Weight {
    /// Compiles a template.
    ///
    /// # Errors
    /// Those of [`Template::new`]; too much taken by all of them.
    pub(crate) fn template(&self, text: &str) -> Result<Template, Fault> {
        let template = Template::new(text)?;
        self.add(template.weight())?;
        Ok(template)
    }

    /// Compiles an expression.
    ///
    /// # Errors
    /// Those of [`Expression::new`]; too much taken by all of them.
    pub(crate) fn expression(&self, text: &str) -> Result<Expression, Fault> {
        let expression = Expression::new(text)?;
        self.add(expression.weight())?;
        Ok(expression)
    }

    /// Bytes taken so far.
    pub(crate) fn bytes(&self) -> usize {
        self.0.get()
    }

    fn add(&self, bytes: usize) -> Result<(), Reason> {
        self.0.set(self.0.get() + bytes);
        if self.0.get() > MAX_COMPILED_BYTES {
            return Err(Reason::TooLong { limit: MAX_COMPILED_BYTES, unit: "bytes of compiled rule" });
        }
        Ok(())
    }
}
