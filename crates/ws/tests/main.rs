//! One binary: what holds for every stream of bytes, and a client that shares no code with the codec.

mod clients;
mod properties;
mod reference;

#[path = "../examples/echo/serve.rs"]
mod serve;
