//! The sandbox from outside: a real pool, real processes.

mod support;

mod documented;
