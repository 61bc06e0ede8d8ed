//! temp
use homestar_core::{ipld::*, task::*};
use homestar_engine::*;
fn main() {
    let mut args = std::env::args().skip(1);
    let path = args.next().unwrap();
    let func = args.next();
    let t = std::time::Instant::now();
    let engine = Engine::new(Config {
        cache: Some("/tmp/probe-cache".into()),
        ..Default::default()
    })
    .unwrap();
    let component = match engine.load_file(path.as_ref()) {
        Ok(c) => c,
        Err(e) => {
            println!("{e}: {:?}", std::error::Error::source(&e));
            return;
        }
    };
    println!(
        "loaded {:?} in {:?} {:?}",
        component,
        t.elapsed(),
        component.origin()
    );
    let Some(func) = func else {
        for f in component.functions() {
            println!("  {} -> {}", f.full_name(), f);
        }
        println!("{:?}", component.imports());
        return;
    };
    let export = component.find(&func).unwrap();
    let call_args: Vec<Ipld> = args
        .map(|a| homestar_core::json::parse(&a).unwrap())
        .collect();
    let instruction = Instruction::new(
        Resource::from(*component.cid()),
        Input::new(export.function().full_name(), call_args),
        Nonce::EMPTY,
    )
    .unwrap();
    let limits = Limits {
        time: std::time::Duration::from_secs(5),
        ..Limits::default()
    };
    for _ in 0..2 {
        let done = engine.call(&component, Call::new(&instruction, &limits));
        match done {
            Ok(d) => println!(
                "{:?} fuel {} mem {} log {:?} {:?} {:?}",
                d.outcome,
                d.fuel,
                d.memory_peak,
                String::from_utf8_lossy(&d.log),
                d.start_time,
                d.run_time
            ),
            Err(e) => println!("error: {e}"),
        }
    }
}
