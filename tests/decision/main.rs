//! The decision rule against its specification: exact enumerations, a naive
//! second implementation, vectors of the reference simulator, recorded noise.

mod intervals;
mod martingale;
mod operating_curve;
mod oracle;
mod policy;
mod properties;
mod published;
mod session;
mod simulated;
mod support;
mod vectors;
