//! SIGINT and SIGTERM, as a shutdown.

use event_core::Shutdown;

/// Requests a shutdown at the first SIGINT or SIGTERM; the second ends the process at once, with
/// exit status 130.
///
/// Handlers are in place when this returns. As process 1 of a container a program without one
/// would not notice a SIGTERM at all.
///
/// # Errors
///
/// If the system has no room for a handler.
#[cfg(unix)]
pub fn shutdown() -> std::io::Result<Shutdown> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (trigger, shutdown) = Shutdown::new();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = interrupt.recv() => "SIGINT",
                _ = terminate.recv() => "SIGTERM",
            }
        };
        let signal = next().await;
        tracing::info!(signal, "draining");
        trigger.shutdown();
        next().await;
        std::process::exit(130);
    });
    Ok(shutdown)
}

/// Requests a shutdown at the first Ctrl-C; the second ends the process at once.
///
/// # Errors
///
/// None.
#[cfg(not(unix))]
pub fn shutdown() -> std::io::Result<Shutdown> {
    let (trigger, shutdown) = Shutdown::new();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            trigger.shutdown();
        }
        let _ = tokio::signal::ctrl_c().await;
        std::process::exit(130);
    });
    Ok(shutdown)
}
