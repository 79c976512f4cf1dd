//! The segment engine's own tests: what a kill, power loss, a failing disk and
//! damaged files leave.

mod crash;
mod damage;
mod faults;
mod files;
mod script;
