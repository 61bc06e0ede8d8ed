//! Spans and metrics, as a collector gets them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use crate::environment::{Environment, Said};

/// Takes what is sent by OTLP over HTTP, and answers with a status.
struct Collector {
    url: String,
    requests: Receiver<(String, Vec<u8>)>,
}

impl Collector {
    fn new(status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, requests) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let sender = sender.clone();
                thread::spawn(move || while take(&stream, status, &sender).is_some() {});
            }
        });
        Self { url, requests }
    }

    /// Runs a workflow that tells the collector of it.
    fn run(&self, it: &Environment, file: &str) -> Said {
        let mut command = it.command(&["run", file]);
        it.said(command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &self.url))
    }

    /// What came so far: what was answered was taken before.
    fn taken(&self) -> Vec<(String, Vec<u8>)> {
        self.requests.try_iter().collect()
    }
}

/// Takes one request of a connection.
fn take(mut stream: &TcpStream, status: &str, sender: &Sender<(String, Vec<u8>)>) -> Option<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let mut lines = head.lines();
    let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
    assert!(
        head.contains("content-type: application/x-protobuf"),
        "{head}"
    );
    let length = lines.find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    stream.read_exact(&mut body).ok()?;
    // The test may be over.
    let _ = sender.send((path, body));
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
    stream.write_all(answer.as_bytes()).ok()
}

fn spans(taken: &[(String, Vec<u8>)]) -> Vec<Span> {
    let requests = taken.iter().filter(|(path, _)| path == "/v1/traces");
    requests
        .map(|(_, body)| ExportTraceServiceRequest::decode(&body[..]).unwrap())
        .flat_map(|request| request.resource_spans)
        .inspect(|of| {
            let resource = &of.resource.as_ref().unwrap().attributes;
            assert_eq!(text(resource, "service.name"), "homestar");
        })
        .flat_map(|of| of.scope_spans)
        .flat_map(|of| of.spans)
        .collect()
}

/// The sums of a metric, by the attributes of each, and the counts of a histogram.
fn sums(taken: &[(String, Vec<u8>)], name: &str) -> Vec<(String, f64)> {
    let requests = taken.iter().filter(|(path, _)| path == "/v1/metrics");
    let metrics = requests
        .map(|(_, body)| ExportMetricsServiceRequest::decode(&body[..]).unwrap())
        .flat_map(|request| request.resource_metrics)
        .flat_map(|of| of.scope_metrics)
        .flat_map(|of| of.metrics)
        .filter(|metric| metric.name == name);
    let mut sums = Vec::new();
    for metric in metrics {
        match metric.data.unwrap() {
            Data::Sum(sum) => sums.extend(sum.data_points.iter().map(|point| {
                use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
                let Some(Value::AsInt(value)) = point.value else {
                    panic!("{point:?}")
                };
                (shown(&point.attributes), value as f64)
            })),
            Data::Histogram(times) => sums.extend(times.data_points.iter().map(|point| {
                assert!(point.sum.unwrap() > 0.0);
                (shown(&point.attributes), point.count as f64)
            })),
            other => panic!("{other:?}"),
        }
    }
    sums.sort_by(|a, b| a.0.cmp(&b.0));
    sums
}

fn value<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    let found = attributes.iter().find(|it| it.key == key)?;
    found.value.as_ref()?.value.as_ref()
}

fn shown(attributes: &[KeyValue]) -> String {
    let outcome = text(attributes, "homestar.task.outcome");
    match value(attributes, "homestar.task.memoised") {
        Some(Value::BoolValue(true)) => format!("{outcome} memoised"),
        _ => outcome,
    }
}

fn text(attributes: &[KeyValue], key: &str) -> String {
    match value(attributes, key) {
        Some(Value::StringValue(text)) => text.clone(),
        None => String::new(),
        other => panic!("{key}: {other:?}"),
    }
}

const FLOW: &str = "
name: told
defaults: {component: mender.wasm}
tasks:
  bad: {call: fail, args: [swordfish], secret: true}
  told: {call: explain, args: [{await/error: bad}]}
  six: {component: plain.wasm, call: multiply, args: [2, 3]}
  loud: {component: plain.wasm, call: shout, for-each: {swordfish: 1}, args: [{'@each': key}], secret: true}
";

#[test]
fn a_run_and_its_tasks_are_told_of() {
    let it = Environment::with(&["mender", "plain"]).with_key();
    it.put("flow.yaml", FLOW);
    let collector = Collector::new("200 OK");
    let said = collector.run(&it, "flow.yaml");
    assert_eq!(said.code, Some(0), "{said}");
    assert!(!said.stderr.contains("warning"), "{said}");
    let taken = collector.taken();
    let all = spans(&taken);
    let run = all.iter().find(|span| span.name == "run").unwrap();
    assert_eq!(text(&run.attributes, "homestar.workflow.name"), "told");
    assert_eq!(text(&run.attributes, "homestar.run.outcome"), "ok");
    let tasks: Vec<_> = all.iter().filter(|span| span.name == "task").collect();
    let mut outcomes: Vec<_> = tasks
        .iter()
        .map(|span| {
            assert_eq!(
                (&span.parent_span_id, &span.trace_id),
                (&run.span_id, &run.trace_id)
            );
            assert!(span.start_time_unix_nano >= run.start_time_unix_nano);
            assert!(span.end_time_unix_nano <= run.end_time_unix_nano);
            let Some(Value::IntValue(fuel)) = value(&span.attributes, "homestar.task.fuel") else {
                panic!("{span:?}")
            };
            assert!(*fuel > 0);
            let of = |key: &str| text(&span.attributes, &format!("homestar.task{key}"));
            assert!(of(".component").starts_with("baf"));
            (of(""), of(".function"), of(".outcome"))
        })
        .collect();
    outcomes.sort();
    let expected = [
        ("bad", "fail", "guest"),
        ("loud", "shout", "ok"),
        ("six", "multiply", "ok"),
        ("told", "explain", "ok"),
    ];
    let expected = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
    assert_eq!(outcomes, expected);
    let tally = |taken: &[_], name: &str| sums(taken, name);
    let counted = [("guest".to_owned(), 1.0), ("ok".to_owned(), 3.0)];
    assert_eq!(tally(&taken, "homestar.tasks"), counted);
    assert_eq!(tally(&taken, "homestar.task.duration"), counted);
    // What tasks were given and gave is nobody's business.
    for (path, body) in &taken {
        let body = String::from_utf8_lossy(body).to_lowercase();
        assert!(!body.contains("swordfish"), "{path}");
    }

    // The next time they are found.
    let said = collector.run(&it, "flow.yaml");
    assert_eq!(said.code, Some(0), "{said}");
    let taken = collector.taken();
    let counted = [
        ("guest memoised".to_owned(), 1.0),
        ("ok memoised".to_owned(), 3.0),
    ];
    assert_eq!(tally(&taken, "homestar.tasks"), counted);
    assert_eq!(spans(&taken).len(), 5);
}

#[test]
fn a_task_by_itself_is_told_of() {
    let it = Environment::with(&["plain"]).with_key();
    let collector = Collector::new("200 OK");
    let asked = [
        "run",
        "plain.wasm",
        "multiply(2, 3)",
        "--receipt",
        "six.receipt",
    ];
    let mut command = it.command(&asked);
    let said = it.said(command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url));
    assert_eq!(said.code, Some(0), "{said}");
    let taken = collector.taken();
    let all = spans(&taken);
    let [span] = &all[..] else { panic!("{all:?}") };
    assert_eq!((&*span.name, &span.parent_span_id[..]), ("task", &[][..]));
    let of = |key: &str| text(&span.attributes, &format!("homestar.task{key}"));
    assert_eq!(
        (of(""), of(".outcome")),
        ("multiply".to_owned(), "ok".to_owned())
    );
    assert!(of(".receipt").starts_with("baf"), "{span:?}");
    assert_eq!(sums(&taken, "homestar.tasks"), [("ok".to_owned(), 1.0)]);
}

#[test]
fn nothing_is_sent_unless_somebody_wants_it() {
    let it = Environment::with(&["mender", "plain"]).with_key();
    it.put("flow.yaml", FLOW);
    let collector = Collector::new("200 OK");
    let mut command = it.command(&["run", "flow.yaml"]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url);
    let said = it.said(command.env("OTEL_SDK_DISABLED", "true"));
    assert_eq!(said.code, Some(0), "{said}");
    assert_eq!(collector.taken(), []);
}

#[test]
fn a_collector_that_is_no_help_is_said_once_and_nothing_else() {
    let it = Environment::with(&["mender", "plain"]).with_key();
    it.put("flow.yaml", FLOW);
    let angry = Collector::new("500 Internal Server Error");
    // This one takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    let gone = "http://127.0.0.1:1".to_owned();
    for (url, why) in [
        (&angry.url, "it answered 500 Internal Server Error"),
        (&silent, ""),
        (&gone, "can't be reached: "),
        (&"no url".to_owned(), ""),
    ] {
        let mut command = it.command(&["run", "flow.yaml", "--no-cache"]);
        let said = it.said(command.env("OTEL_EXPORTER_OTLP_ENDPOINT", url));
        assert_eq!(said.code, Some(0), "{said}");
        let warnings = said.stderr.lines().filter(|it| it.starts_with("warning: "));
        let warnings: Vec<_> = warnings.collect();
        assert_eq!(warnings.len(), 1, "{url} {said}");
        assert!(warnings[0].contains(why), "{said}");
    }
}
