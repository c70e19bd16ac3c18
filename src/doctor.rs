//! stub
use crate::config::Config;
use crate::secret::Secrets;
use std::process::ExitCode;
/// stub
/// # Errors
/// none
pub async fn run(_: Config, _: Secrets) -> Result<ExitCode, Box<dyn std::error::Error>> {
    Ok(ExitCode::SUCCESS)
}
