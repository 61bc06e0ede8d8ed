//! Calls in this process: starting, calling, moving bytes, whole tasks, and ending those that don't end.

use std::hint::black_box;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use homestar_core::ipld::Ipld;
use homestar_core::key::SigningKey;
use homestar_core::outcome::Outcome;
use homestar_core::receipt::{Body, Meta, Receipt};
use homestar_core::task::{Input, Instruction, Limits, Nonce};
use homestar_core::wit::Value;
use homestar_engine::{
    Allocation, Call, Component, Config, Done, End, Engine, Export, Instance, Setting,
};
use wasmtime::Store;
use wasmtime::component::{ComponentNamedList, Func, Lift, Lower, TypedFunc, Val};

use crate::Error;
use crate::measure::{Clock, Effort, Measurement, Repeated, repeated};
use crate::peers::{Bare, Settings, State};

/// Limits that no measurement reaches.
pub(crate) const LIMITS: Limits = Limits {
    fuel: u64::MAX,
    memory_bytes: 1 << 30,
    table_elements: 1 << 20,
    time: Duration::from_secs(3600),
    output_bytes: 64 << 20,
    storage_bytes: 4 << 30,
    log_bytes: 1 << 20,
    calls: 10_000,
    call_bytes: 256 << 20,
};

/// Returns an engine as a program uses it that runs many tasks.
pub(crate) fn engine() -> Result<Engine, Error> {
    Ok(Engine::new(Config {
        allocation: Allocation::Pooling { instances_max: 64 },
        ..Config::default()
    })?)
}

/// A fresh instance for each call: store, instance, call, and their end.
pub(crate) fn start(effort: Effort) -> Result<Vec<Measurement>, Error> {
    let engine = engine()?;
    Ok(vec![
        fresh::<(u32, u32), (u32,)>(
            effort,
            &engine,
            "start: add.wasm for one `add(1, 2)`",
            (homestar_guests::add(), "add"),
            &[Value::U32(1), Value::U32(2)],
            (1, 2),
        )?,
        fresh::<(String,), (String,)>(
            effort,
            &engine,
            "start: hello.wasm for one `greet(\"world\")`",
            (homestar_guests::hello(), "greet"),
            &[Value::String("world".into())],
            ("world".into(),),
        )?,
    ])
}

fn fresh<P, R>(
    effort: Effort,
    engine: &Engine,
    name: &str,
    (path, function): (&Path, &str),
    values: &[Value],
    params: P,
) -> Result<Measurement, Error>
where
    P: ComponentNamedList + Lower + Clone + 'static,
    R: ComponentNamedList + Lift + 'static,
{
    let component = engine.load_file(path)?;
    let export = component.find(function)?;
    let bare = |settings| {
        let bare = Bare::load(path, settings)?;
        let params = params.clone();
        Ok::<_, Error>(move || {
            let (mut store, instance) = bare.start()?;
            let function = Bare::function(&mut store, &instance, &[function])?;
            let function = function.typed::<P, R>(&store)?;
            black_box(function.call(&mut store, params.clone())?);
            Ok(())
        })
    };
    let measured = repeated(
        name,
        effort,
        vec![
            Repeated::new("homestar: Engine::start, Instance::call", || {
                let mut instance = started(engine, &component)?;
                black_box(called(&mut instance, export, values.to_vec())?);
                Ok(())
            }),
            Repeated::new("wasmtime, our settings", bare(Settings::Ours)?),
            Repeated::new("wasmtime, default settings", bare(Settings::Default)?),
        ],
    )?;
    Ok(measured.goal("≤ 15 µs"))
}

/// Calls of an instance that runs already.
pub(crate) fn call(effort: Effort) -> Result<Vec<Measurement>, Error> {
    let engine = engine()?;
    let text = "A greeting of ordinary length.";
    let goal = "≤ 1.3 of TypedFunc";
    Ok(vec![
        Warm {
            name: "call: add(1, 2)",
            component: homestar_guests::add(),
            path: &["add"],
            function: "add",
            args: vec![Value::U32(1), Value::U32(2)],
            vals: vec![Val::U32(1), Val::U32(2)],
        }
        .measure::<(u32, u32), (u32,)>(effort, &engine, (1, 2))?
        .goal(goal),
        Warm {
            name: "call: echo-string, of 30 bytes",
            component: homestar_guests::zoo(),
            path: &["homestar:zoo/echo@0.1.0", "echo-string"],
            function: "echo-string",
            args: vec![Value::String(text.into())],
            vals: vec![Val::String(text.into())],
        }
        .measure::<(String,), (String,)>(effort, &engine, (text.into(),))?
        .goal(goal),
        Warm {
            name: "call: greet(\"world\"), of a component that imports WASI",
            component: homestar_guests::hello(),
            path: &["greet"],
            function: "greet",
            args: vec![Value::String("world".into())],
            vals: vec![Val::String("world".into())],
        }
        .measure::<(String,), (String,)>(effort, &engine, ("world".into(),))?
        .goal(goal),
    ])
}

/// A megabyte in and out, as `list<u8>`.
pub(crate) fn bytes(effort: Effort) -> Result<Vec<Measurement>, Error> {
    let bytes = vec![42; 1 << 20];
    let warm = Warm {
        name: "bytes: echo of a 1 MiB list<u8>",
        component: homestar_guests::zoo(),
        path: &["homestar:zoo/echo@0.1.0", "echo-bytes"],
        function: "echo-bytes",
        args: vec![Value::Bytes(bytes.clone())],
        vals: vec![Val::List(bytes.iter().copied().map(Val::U8).collect())],
    };
    let measured = warm.measure::<(Vec<u8>,), (Vec<u8>,)>(effort, &engine()?, (bytes,))?;
    Ok(vec![measured.goal("< 2 ms")])
}

/// One function with its arguments, called over and over in one instance.
struct Warm<'a> {
    name: &'a str,
    component: &'a Path,
    /// Its place in the component, for bare wasmtime.
    path: &'a [&'a str],
    /// Its name, for us.
    function: &'a str,
    args: Vec<Value>,
    vals: Vec<Val>,
}

impl Warm<'_> {
    fn measure<P, R>(
        &self,
        effort: Effort,
        engine: &Engine,
        params: P,
    ) -> Result<Measurement, Error>
    where
        P: ComponentNamedList + Lower + Clone,
        R: ComponentNamedList + Lift,
    {
        let component = engine.load_file(self.component)?;
        let export = component.find(self.function)?;
        let mut instance = started(engine, &component)?;
        let bare = |settings| {
            let (mut store, function) = self.bare(settings)?;
            let function: TypedFunc<P, R> = function.typed(&store)?;
            let params = &params;
            Ok::<_, Error>(move || {
                let params = black_box(params.clone());
                black_box(function.call(&mut store, params)?);
                Ok(())
            })
        };
        let (mut store, function) = self.bare(Settings::Ours)?;
        let mut results = [Val::Bool(false)];
        repeated(
            self.name,
            effort,
            vec![
                Repeated::new("homestar: Instance::call", || {
                    let args = black_box(self.args.clone());
                    black_box(called(&mut instance, export, args)?);
                    Ok(())
                }),
                Repeated::new(
                    "wasmtime TypedFunc::call, our settings",
                    bare(Settings::Ours)?,
                ),
                Repeated::new(
                    "wasmtime TypedFunc::call, default settings",
                    bare(Settings::Default)?,
                ),
                Repeated::new("wasmtime Func::call with Val, our settings", move || {
                    function.call(&mut store, black_box(&self.vals), &mut results)?;
                    black_box(&results);
                    Ok(())
                }),
            ],
        )
    }

    fn bare(&self, settings: Settings) -> Result<(Store<State>, Func), Error> {
        let (mut store, instance) = Bare::load(self.component, settings)?.start()?;
        let function = Bare::function(&mut store, &instance, self.path)?;
        Ok((store, function))
    }
}

fn started(engine: &Engine, component: &Component) -> Result<Instance, Error> {
    let instance = engine.start(component, Setting::default(), &LIMITS);
    instance.map_err(ended)
}

pub(crate) fn called(
    instance: &mut Instance,
    export: &Export,
    args: Vec<Value>,
) -> Result<Value, Error> {
    let value = instance.call(export, args).map_err(ended)?;
    value.ok_or_else(|| "the function returns nothing".into())
}

pub(crate) fn ended(end: End) -> Error {
    format!("the call ended: {end:?}").into()
}

/// Whole tasks: from an instruction to its outcome, and to the signed receipt of it.
pub(crate) fn task(effort: Effort) -> Result<Vec<Measurement>, Error> {
    let engine = engine()?;
    let component = engine.load_file(homestar_guests::add())?;
    let key = SigningKey::from_seed(&[42; 32]);
    let instruction = || {
        let input = Input::new("add", vec![Ipld::Integer(1), Ipld::Integer(2)]);
        Instruction::new(*component.cid(), input, Nonce::EMPTY)
    };
    let prepared = instruction()?;
    let done = engine.call(&component, Call::new(&prepared, &LIMITS))?;
    let export = component.find("add")?;
    let measured = repeated(
        "task: add(1, 2)",
        effort,
        vec![
            Repeated::new("Instruction::new, Engine::call, Receipt::sign", || {
                let instruction = instruction()?;
                let done = engine.call(&component, Call::new(&instruction, &LIMITS))?;
                black_box(receipt(&component, &instruction, &done, &key)?);
                Ok(())
            }),
            Repeated::new("Instruction::new", || {
                black_box(instruction()?);
                Ok(())
            }),
            Repeated::new("Engine::call", || {
                black_box(engine.call(&component, Call::new(&prepared, &LIMITS))?);
                Ok(())
            }),
            Repeated::new("Engine::start, Instance::call", || {
                let mut instance = started(&engine, &component)?;
                let args = vec![Value::U32(1), Value::U32(2)];
                black_box(called(&mut instance, export, args)?);
                Ok(())
            }),
            Repeated::new("Receipt::sign", || {
                black_box(receipt(&component, &prepared, &done, &key)?);
                Ok(())
            }),
            Repeated::new("an Ed25519 signature of 300 bytes", || {
                black_box(key.sign(black_box(&[42; 300])));
                Ok(())
            }),
        ],
    )?;
    Ok(vec![measured])
}

fn receipt(
    component: &Component,
    instruction: &Instruction,
    done: &Done,
    key: &SigningKey,
) -> Result<Receipt, Error> {
    let meta = Meta {
        component: *component.cid(),
        func: instruction.input().func.clone(),
        effects: Vec::new(),
        trace: None,
        invocation: None,
        fuel: done.fuel,
        memory_peak: done.memory_peak,
        engine: "bench".into(),
    };
    let body = Body {
        ran: instruction.link(),
        outcome: done.outcome.clone(),
        run: Vec::new(),
        meta,
    };
    Ok(Receipt::sign(body, key)?)
}

/// Time that endless loops are given.
const DEADLINE: Duration = Duration::from_millis(500);

/// Endless loops, twice as many as cores, each against its deadline.
pub(crate) fn watchdog(effort: Effort) -> Result<Vec<Measurement>, Error> {
    let engine = engine()?;
    let component = engine.load_file(homestar_guests::hostile())?;
    let instruction = Instruction::new(
        *component.cid(),
        Input::new("spin", Vec::new()),
        Nonce::EMPTY,
    )?;
    let limits = Limits {
        time: DEADLINE,
        ..LIMITS
    };
    let spin = || {
        let begin = Instant::now();
        let done = engine.call(&component, Call::new(&instruction, &limits))?;
        match done.outcome {
            Outcome::Error(_) => Ok(begin.elapsed().as_secs_f64()),
            Outcome::Ok(_) => Err("an endless loop has ended".into()),
        }
    };
    let loops = 2 * thread::available_parallelism()?.get();
    let mut seconds = Vec::new();
    for _ in 0..effort.rounds(5) {
        seconds.extend(at_once(loops, spin)?);
    }
    let slowest = seconds.iter().copied().fold(0.0, f64::max);
    let deadline = vec![DEADLINE.as_secs_f64(); seconds.len()];
    let sides = [
        (format!("homestar: {loops} endless loops at once"), seconds),
        ("their deadline".into(), deadline),
    ];
    let slowest = slowest / DEADLINE.as_secs_f64();
    Ok(vec![
        Measurement::new("watchdog: hostile.wasm `spin`", Clock::Wall, sides)
            .goal("≤ 2 of the deadline")
            .note(format!("the slowest took {slowest:.2} of its deadline")),
    ])
}

/// Runs `work` on `count` threads and returns what each returns.
fn at_once<T: Send>(
    count: usize,
    work: impl Fn() -> Result<T, Error> + Sync,
) -> Result<Vec<T>, Error> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(&work)).collect();
        let ended = threads.into_iter().map(|thread| {
            let joined = thread.join();
            joined.unwrap_or_else(|_| Err("a thread panicked".into()))
        });
        ended.collect()
    })
}
