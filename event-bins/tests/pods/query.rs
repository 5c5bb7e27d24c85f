//! CloudFormation and IAM of an emulator, by the Query protocol: their SDKs would take longer to
//! build than everything else here, for four requests.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// A stack takes seconds.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Makes the stack from nothing, one of this name that is there included; its outputs by name.
pub(crate) fn deploy(name: &str, template: &str, queue: &str) -> impl Fn(&str) -> String {
    cloudformation("DeleteStack", &[("StackName", name)]);
    until(name, |status| status.is_none_or(|status| status == "DELETE_COMPLETE"));
    let created = cloudformation(
        "CreateStack",
        &[
            ("StackName", name),
            ("TemplateBody", template),
            ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
            ("Parameters.member.1.ParameterKey", "QueueName"),
            ("Parameters.member.1.ParameterValue", queue),
        ],
    );
    assert!(created.contains("<StackId>"), "{created}");
    let stack = until(name, |status| status.is_some_and(|status| !status.ends_with("PROGRESS")));
    assert_eq!(element(&stack, "StackStatus"), Some("CREATE_COMPLETE"), "{stack}");
    move |output| {
        let rest = stack.split(&format!("<OutputKey>{output}</OutputKey>")).nth(1);
        element(rest.unwrap_or_default(), "OutputValue").unwrap_or_default().to_owned()
    }
}

/// The statements of a managed policy.
pub(crate) fn statements(arn: &str) -> Vec<Value> {
    let version = [("PolicyArn", arn), ("VersionId", "v1")];
    let answer = call("iam", "2010-05-08", "GetPolicyVersion", &version);
    let document = element(&answer, "Document").unwrap_or_else(|| panic!("{arn}: {answer}"));
    let document: Value = serde_json::from_str(document).unwrap();
    document["Statement"].as_array().unwrap().clone()
}

/// Waits for a status of the stack, or for there being none; the answer that has it.
fn until(name: &str, is_it: impl Fn(Option<&str>) -> bool) -> String {
    let start = Instant::now();
    loop {
        let answer = cloudformation("DescribeStacks", &[("StackName", name)]);
        if is_it(element(&answer, "StackStatus")) {
            return answer;
        }
        assert!(start.elapsed() < TIMEOUT, "{answer}");
        thread::sleep(Duration::from_millis(200));
    }
}

fn cloudformation(action: &str, parameters: &[(&str, &str)]) -> String {
    call("cloudformation", "2010-05-15", action, parameters)
}

/// What an emulator answers; it does not look at the signature.
fn call(service: &str, version: &str, action: &str, parameters: &[(&str, &str)]) -> String {
    let endpoint = std::env::var("AWS_ENDPOINT_URL").unwrap();
    let host = endpoint.trim_start_matches("http://").trim_end_matches('/');
    let mut form = format!("Action={action}&Version={version}");
    for (name, value) in parameters {
        write!(form, "&{name}=").unwrap();
        for byte in value.bytes() {
            match byte {
                b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => form.push(byte.into()),
                _ => write!(form, "%{byte:02X}").unwrap(),
            }
        }
    }
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    write!(
        stream,
        "POST / HTTP/1.0\r\nHost: {host}\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, \
         SignedHeaders=host, Signature=0\r\n\r\n{form}",
        form.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The text of the first element of this name.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    xml.split_once(&format!("<{name}>"))?.1.split_once(&format!("</{name}>")).map(|parts| parts.0)
}
