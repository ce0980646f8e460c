//! The sandbox from outside: a real pool, real processes.

mod support;

mod confinement;
mod documented;
mod hostile;
mod http;
mod limits;
mod pool;
