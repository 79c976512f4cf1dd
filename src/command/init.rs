//! stub
#[derive(Debug, clap::Args)]
pub struct InitArgs {}
