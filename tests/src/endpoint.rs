//! SQS and S3 to test with: whatever is at `AWS_ENDPOINT_URL`, else LocalStack in a container.

use std::process::{Command, ExitCode, Stdio};

use testcontainers::core::ContainerPort;
use testcontainers::runners::SyncRunner;
use testcontainers::{Container, ImageExt};
use testcontainers_modules::localstack::LocalStack;

/// The newest version that runs without a token.
const TAG: &str = "4.13.1";

/// The port that it serves every API at.
const PORT: ContainerPort = ContainerPort::Tcp(4566);

/// Holds the id of the container while there is one, for tests that stop it on purpose.
pub const CONTAINER: &str = "EVENT_TESTS_CONTAINER";

/// Runs the tests of this binary where they find SQS and S3 in the variables that every AWS tool
/// reads (`AWS_ENDPOINT_URL`, `AWS_REGION`, credentials): as they are set, or else in a copy of
/// this process with those of a container that is removed afterwards.
///
/// `tests` gets the reason why there is nothing to test with, if there is none; it should show its
/// tests as ignored then.
pub fn main(tests: impl FnOnce(Option<&str>) -> ExitCode) -> ExitCode {
    let is_set = std::env::var("AWS_ENDPOINT_URL").is_ok_and(|endpoint| !endpoint.is_empty());
    // Whoever only asks for the names needs no container.
    if is_set || std::env::args().any(|argument| argument == "--list") {
        return tests(None);
    }
    match start() {
        Ok((container, endpoint)) => run_again(&container, &endpoint),
        Err(reason) => tests(Some(&reason)),
    }
}

/// Whether this engine has an image, so that nothing has to be pulled; the error is a reason to
/// ignore a test, and says what would do.
pub fn has_image(image: &str) -> Result<(), String> {
    let inspect = Command::new("docker")
        .args(["image", "inspect", image])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match inspect {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!("no Docker engine with the image {image} is there")),
        Err(error) => Err(format!("docker cannot be run: {error}")),
    }
}

fn start() -> Result<(Container<LocalStack>, String), String> {
    has_image(&format!("localstack/localstack:{TAG}")).map_err(|missing| {
        format!(
            "AWS_ENDPOINT_URL is not set, and {missing}: `docker pull \
             localstack/localstack:{TAG}` makes these tests run"
        )
    })?;
    let started = || {
        let container = localstack().start()?;
        let (host, port) = (container.get_host()?, container.get_host_port_ipv4(PORT)?);
        Ok((container, format!("http://{host}:{port}")))
    };
    started().map_err(|error: testcontainers::TestcontainersError| {
        format!("LocalStack does not start in a container: {error}")
    })
}

/// LocalStack as the tests want it.
pub fn localstack() -> testcontainers::ContainerRequest<LocalStack> {
    LocalStack::default()
        .with_tag(TAG)
        .with_env_var("SERVICES", "sqs,s3,cloudformation,iam,cloudwatch")
        // Else it answers URLs of queues with a name that only the internet can resolve.
        .with_env_var("SQS_ENDPOINT_STRATEGY", "path")
        .with_mapped_port(0, PORT)
}

/// The environment of a process cannot be changed safely once it has threads, so another one
/// gets it.
fn run_again(container: &Container<LocalStack>, endpoint: &str) -> ExitCode {
    let program = std::env::current_exe().expect("a running test has a path");
    let status = Command::new(program)
        .args(std::env::args_os().skip(1))
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_SESSION_TOKEN")
        .env(CONTAINER, container.id())
        .status();
    match status.map(|status| status.code()) {
        Ok(Some(code)) => u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from),
        _ => ExitCode::FAILURE,
    }
}
