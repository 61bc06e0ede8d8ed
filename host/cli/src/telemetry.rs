//! Spans and metrics of runs, for whoever watches many: OpenTelemetry's, sent by OTLP over HTTP.
//!
//! ```text
//! workers ── Traced ──→ spans ──→ batches ─┐
//! who drives ─────────→ metrics ───────────┴─→ Sender ──→ Poster ──→ collector
//! ```
//!
//! They say which task it was, how it ended and what it cost, and nothing of what it was given or gave. That they can't be
//! sent is no reason to fail or to wait, and is said once.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use homestar_core::ipld::Cid;
use homestar_core::outcome::Outcome;
use homestar_core::plan::How;
use homestar_core::receipt::Receipt;
use homestar_core::schedule::Summary;
use homestar_core::task::Instruction;
use homestar_core::workflow::Workflow;
use homestar_engine::Done;
use homestar_node::{Ended, Execute, Executed, Poster, Trouble, Work};
use opentelemetry::metrics::{Counter, Histogram, MeterProvider};
use opentelemetry::trace::{Span, SpanBuilder, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider,
};

use crate::{paths, print};

/// Spans that wait to be sent. Others are dropped: a run doesn't wait for its collector.
const SPANS_MAX: usize = 16_384;

/// Spans in one request.
const BATCH: usize = 1_024;

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(5);

/// How long the last requests are waited for when a run is over.
const PATIENCE: Duration = Duration::from_secs(1);

/// The name under which all of it is found.
const SCOPE: &str = "homestar";

/// What is told of one run.
#[derive(Debug)]
pub(crate) struct Telemetry {
    tracer: SdkTracer,
    spans: SdkTracerProvider,
    meters: SdkMeterProvider,
    tasks: Counter<u64>,
    durations: Histogram<f64>,
    fuel: Counter<u64>,
    /// The span of the run, in which those of the tasks are. A task that is run by itself is in none.
    run: Context,
    sender: Arc<Sender>,
}

/// A task, as far as it is told of.
struct Told<'a> {
    label: &'a str,
    is_secret: bool,
    attempt: u32,
    instruction: &'a Instruction,
    outcome: &'static str,
    fuel: u64,
    receipt: Option<&'a Receipt>,
}

impl Telemetry {
    /// Begins the span of a run, if somebody wants to hear of it.
    pub(crate) fn begin(id: &str, workflow: &Workflow, is_resumed: bool) -> Option<Self> {
        let mut telemetry = Self::of_one_task()?;
        let mut attributes = vec![
            KeyValue::new("homestar.run", id.to_owned()),
            KeyValue::new("homestar.run.resumed", is_resumed),
            KeyValue::new("homestar.workflow", workflow.cid().to_string()),
        ];
        let name = workflow.name();
        attributes.extend(name.map(|it| KeyValue::new("homestar.workflow.name", it.to_owned())));
        let run = SpanBuilder::from_name("run").with_attributes(attributes);
        let run = telemetry.tracer.build_with_context(run, &Context::new());
        telemetry.run = Context::new().with_span(run);
        Some(telemetry)
    }

    /// Is there to tell of a task that is run by itself, if somebody wants to hear of it.
    pub(crate) fn of_one_task() -> Option<Self> {
        let endpoint = paths::collector()?;
        match Self::new(&endpoint) {
            Ok(telemetry) => Some(telemetry),
            Err(error) => {
                print::warning(&format!("no spans and metrics are sent: {error}"));
                None
            }
        }
    }

    fn new(endpoint: &str) -> Result<Self, Box<dyn Error>> {
        let sender = Arc::new(Sender {
            endpoint: endpoint.to_owned(),
            poster: Poster::new(REQUEST),
            failed: Mutex::default(),
        });
        let client = || Arc::clone(&sender) as Arc<dyn HttpClient>;
        let exporter = SpanExporter::builder().with_http();
        let exporter = exporter.with_shared_http_client(client()).build()?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(SPANS_MAX)
            .with_max_export_batch_size(BATCH)
            .build();
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches);
        let spans = SdkTracerProvider::builder()
            .with_resource(resource())
            .with_span_processor(processor.build())
            .build();
        let exporter = MetricExporter::builder().with_http();
        let exporter = exporter.with_shared_http_client(client()).build()?;
        let meters = SdkMeterProvider::builder()
            .with_resource(resource())
            .with_periodic_exporter(exporter)
            .build();
        let meter = meters.meter(SCOPE);
        let tracer = spans.tracer(SCOPE);
        Ok(Self {
            tasks: meter
                .u64_counter("homestar.tasks")
                .with_description("tasks that ended, by outcome, and whether a receipt was there")
                .build(),
            durations: meter
                .f64_histogram("homestar.task.duration")
                .with_unit("s")
                .with_description("time that tasks ran")
                .build(),
            fuel: meter
                .u64_counter("homestar.fuel")
                .with_description("fuel that tasks used")
                .build(),
            tracer,
            spans,
            meters,
            run: Context::new(),
            sender,
        })
    }

    /// Tells of a task of a run.
    fn ran(&self, work: &Work, begin: SystemTime, done: &Result<Executed, Trouble>) {
        let (outcome, receipt) = match done {
            Ok(executed) => (outcome(executed.receipt.outcome()), Some(&executed.receipt)),
            Err(trouble) => (trouble.failure.kind.as_str(), None),
        };
        let told = Told {
            label: &work.label,
            is_secret: work.is_secret,
            attempt: work.attempt,
            instruction: &work.instruction,
            outcome,
            fuel: receipt.map_or(0, |it| it.meta().fuel),
            receipt,
        };
        self.tell(&told, begin);
    }

    /// Tells of a task that was run by itself. It is called what its function is.
    pub(crate) fn ran_alone(
        &self,
        instruction: &Instruction,
        begin: SystemTime,
        done: &Done,
        receipt: Option<&Receipt>,
    ) {
        let told = Told {
            label: &instruction.input().func,
            is_secret: false,
            attempt: 1,
            instruction,
            outcome: outcome(&done.outcome),
            fuel: done.fuel,
            receipt,
        };
        self.tell(&told, begin);
    }

    fn tell(&self, told: &Told<'_>, begin: SystemTime) {
        let end = SystemTime::now();
        let outcome = told.outcome;
        let mut attributes = attributes(told.label, told.is_secret, outcome, false);
        let func = told.instruction.input().func.clone();
        attributes.extend([
            KeyValue::new("homestar.task.attempt", i64::from(told.attempt)),
            component(told.instruction.resource().cid()),
            KeyValue::new("homestar.task.function", func),
            fuel(told.fuel),
        ]);
        attributes.extend(told.receipt.map(receipt_of));
        self.span(attributes, outcome, begin, end);
        let by = [
            KeyValue::new("homestar.task.outcome", outcome),
            KeyValue::new("homestar.task.memoised", false),
        ];
        self.tasks.add(1, &by);
        let spent = end.duration_since(begin).unwrap_or_default();
        self.durations.record(spent.as_secs_f64(), &by[..1]);
        self.fuel.add(told.fuel, &[]);
    }

    /// Tells of a task that was answered by a receipt.
    pub(crate) fn found(&self, label: &str, is_secret: bool, receipt: &Receipt) {
        let now = SystemTime::now();
        let outcome = outcome(receipt.outcome());
        let mut attributes = attributes(label, is_secret, outcome, true);
        let meta = receipt.meta();
        attributes.extend([
            component(&meta.component),
            KeyValue::new("homestar.task.function", meta.func.clone()),
            fuel(meta.fuel),
            receipt_of(receipt),
        ]);
        self.span(attributes, outcome, now, now);
        let by = [
            KeyValue::new("homestar.task.outcome", outcome),
            KeyValue::new("homestar.task.memoised", true),
        ];
        self.tasks.add(1, &by);
    }

    fn span(
        &self,
        attributes: Vec<KeyValue>,
        outcome: &'static str,
        begin: SystemTime,
        end: SystemTime,
    ) {
        let span = SpanBuilder::from_name("task")
            .with_start_time(begin)
            .with_attributes(attributes);
        let mut span = self.tracer.build_with_context(span, &self.run);
        if outcome != OK {
            span.set_status(Status::error(outcome));
        }
        span.end_with_timestamp(end);
    }

    /// Ends the span of the run, and sends what is left.
    pub(crate) fn end(self, how: Ended, summary: &Summary) {
        let counts = &summary.counts;
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let how = match how {
            Ended::Well => OK,
            Ended::Failed => "failed",
            Ended::Cancelled => "cancelled",
        };
        let run = self.run.span();
        for attribute in [
            KeyValue::new("homestar.run.outcome", how),
            KeyValue::new("homestar.run.tasks", count(counts.all)),
            KeyValue::new("homestar.run.ran", count(counts.ran)),
            KeyValue::new("homestar.run.memoised", count(counts.memoised)),
            KeyValue::new("homestar.run.failed", count(counts.failed)),
        ] {
            run.set_attribute(attribute);
        }
        if how != OK {
            run.set_status(Status::error(how));
        }
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        self.run.span().end();
        let (spans, meters) = (self.spans.clone(), self.meters.clone());
        let (done, wait) = mpsc::channel();
        thread::spawn(move || {
            // Why it fails, the sender knows.
            let _ = spans.shutdown_with_timeout(REQUEST);
            let _ = meters.shutdown();
            let _ = done.send(());
        });
        let was_in_time = wait.recv_timeout(PATIENCE).is_ok();
        let endpoint = &self.sender.endpoint;
        let why = match (self.sender.failed(), was_in_time) {
            (Some(why), _) => why,
            (None, true) => return,
            (None, false) => "it takes too long".to_owned(),
        };
        print::warning(&format!(
            "not all spans and metrics reached {endpoint}: {why}"
        ));
    }
}

/// The outcome of what ended well.
const OK: &str = "ok";

fn outcome(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Ok(_) => OK,
        Outcome::Error(failure) => failure.kind.as_str(),
    }
}

/// What is told of every task. In the label of an element stands a key, which is what a task gave.
fn attributes(
    label: &str,
    is_secret: bool,
    outcome: &'static str,
    was_memoised: bool,
) -> Vec<KeyValue> {
    let label = match label.split_once('[') {
        Some((label, _)) if is_secret => label,
        _ => label,
    };
    vec![
        KeyValue::new("homestar.task", label.to_owned()),
        KeyValue::new("homestar.task.outcome", outcome),
        KeyValue::new("homestar.task.memoised", was_memoised),
    ]
}

fn component(cid: &Cid) -> KeyValue {
    KeyValue::new("homestar.task.component", cid.to_string())
}

fn fuel(fuel: u64) -> KeyValue {
    let fuel = i64::try_from(fuel).unwrap_or(i64::MAX);
    KeyValue::new("homestar.task.fuel", fuel)
}

fn receipt_of(receipt: &Receipt) -> KeyValue {
    KeyValue::new("homestar.task.receipt", receipt.link().cid().to_string())
}

/// Who tells: the name that `OTEL_SERVICE_NAME` gives, or ours.
fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder().with_attribute(version);
    match paths::variable("OTEL_SERVICE_NAME").filter(|name| !name.is_empty()) {
        Some(name) => resource.with_service_name(name),
        None => resource.with_service_name("homestar"),
    }
    .build()
}

/// Sends requests until one fails.
#[derive(Debug)]
struct Sender {
    endpoint: String,
    poster: Poster,
    /// Why the first one failed that did.
    failed: Mutex<Option<String>>,
}

impl Sender {
    fn failed(&self) -> Option<String> {
        let failed = self.failed.lock();
        failed.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fail(&self, why: String) -> HttpError {
        let failed = self.failed.lock();
        let mut failed = failed.unwrap_or_else(PoisonError::into_inner);
        failed.get_or_insert_with(|| why.clone());
        why.into()
    }
}

#[async_trait]
impl HttpClient for Sender {
    /// This waits, on threads that are there for nothing else.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        if let Some(why) = self.failed() {
            return Err(why.into());
        }
        let response = self.poster.send(request);
        let response = response.map_err(|what| self.fail(what.to_string()))?;
        match response.status() {
            status if status.is_success() => Ok(response),
            status => Err(self.fail(format!("it answered {status}"))),
        }
    }
}

/// Runs tasks, and tells of them.
#[derive(Debug)]
pub(crate) struct Traced<'a, E> {
    pub(crate) engine: E,
    pub(crate) telemetry: Option<&'a Telemetry>,
}

impl<E: Execute> Execute for Traced<'_, E> {
    fn execute(&self, work: &Work) -> Result<Executed, Trouble> {
        let Some(telemetry) = self.telemetry else {
            return self.engine.execute(work);
        };
        let begin = SystemTime::now();
        let done = self.engine.execute(work);
        telemetry.ran(work, begin, &done);
        done
    }

    fn is_pure(&self, instruction: &Instruction, how: &How) -> bool {
        self.engine.is_pure(instruction, how)
    }

    fn is_answer(&self, instruction: &Instruction, how: &How, receipt: &Receipt) -> bool {
        self.engine.is_answer(instruction, how, receipt)
    }
}
