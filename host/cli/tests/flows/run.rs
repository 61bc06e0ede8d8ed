//! Runs workflows, and looks at what comes of them. It is run where the components of the cases lie.

mod add;
mod each;
mod image;
mod lines;
mod mender;
mod pictures;
mod shapes;
mod sums;
mod text;
mod values;
#[cfg(feature = "wrong")]
mod wrong;
mod zoo;

use std::collections::BTreeSet;

use homestar_sdk::flow::{Catch, Error, File, for_each, workflow};

fn main() -> Result<(), Error> {
    if std::env::args().nth(1).is_some() {
        let texts = [
            each::flow().json(),
            pictures::flow().json(),
            sums::flow().json(),
            values::flow().json(),
        ];
        print!("{}", texts.join("---\n"));
        return Ok(());
    }
    values_receipts_and_memory()?;
    native_values()?;
    for_each_gathers_and_links_can_be_read()?;
    failures_name_task_and_kind()?;
    problems_have_places();
    Ok(())
}

fn values_receipts_and_memory() -> Result<(), Error> {
    let run = sums::flow().run()?;
    assert_eq!(run.result, 8);
    let labels: Vec<_> = run.receipts.keys().map(String::as_str).collect();
    assert_eq!(labels, ["add", "add-2", "total"]);
    let facts = run.receipts["total"].facts()?;
    assert_eq!((&facts["out"]["ok"], &facts["pure"]), (&8.into(), &true.into()));
    let again = sums::flow().run()?;
    assert_eq!(again.receipts["total"].how, "memoised");
    let mut events = 0;
    let fresh = sums::flow().without_receipts().jobs(1).run_with(|_| events += 1)?;
    assert_eq!(fresh.receipts["total"].how, "ran");
    assert!(events > 4);
    assert_eq!(run.workflow, sums::flow().cid()?);
    Ok(())
}

fn native_values() -> Result<(), Error> {
    let person = values::flow().run()?.result;
    assert_eq!((&*person.name, person.age), ("Ada", None));
    assert_eq!(person.home, zoo::Point { x: 1.0, y: 2.5 });
    assert_eq!(person.portrait, [1, 2, 3]);
    assert_eq!(person.favourite, Some(zoo::Color::DarkGrey));
    assert!(person.work.is_some_and(|work| work.y.is_sign_negative()));
    let flow = workflow("shapes", || {
        (
            zoo::echo_shape(zoo::Shape::Rectangle((1.0, 2.0))),
            zoo::echo_option_option(Some(None)),
            zoo::echo_result_nested(Ok(Err("bad".to_owned()))),
            vec![zoo::echo_f64(f64::NAN)],
        )
    });
    let (shape, some, result, nan) = flow.run()?.result;
    assert_eq!(shape, zoo::Shape::Rectangle((1.0, 2.0)));
    assert_eq!((some, result), (Some(None), Err("bad".to_owned())));
    assert!(nan[0].is_nan());
    let flags = BTreeSet::from([zoo::Permissions::Read]);
    let flow = workflow("flags", || zoo::echo_permissions(flags.clone()));
    assert_eq!(flow.run()?.result, flags);
    Ok(())
}

fn for_each_gathers_and_links_can_be_read() -> Result<(), Error> {
    let counted = workflow("counted", || {
        let found = for_each(File::new("pages"), |page, _| lines::count(page, "txt"));
        let sum = text::sum(&found);
        (found, sum)
    });
    assert_eq!(counted.run()?.result, (vec![1, 2], 3));
    let again = workflow("again", || lines::filter(File::new("pages/2.txt"), "again"));
    let link = again.run()?.result;
    assert_eq!(link.text()?, "2.txt again\n");
    link.save("again.rs.txt")?;
    assert_eq!(std::fs::read("again.rs.txt").unwrap(), link.read()?);
    Ok(())
}

fn failures_name_task_and_kind() -> Result<(), Error> {
    let fails = workflow("fails", || {
        let bad = zoo::fail("no such thing").label("bad");
        zoo::echo_u32(bad)
    });
    let error = fails.run().unwrap_err();
    let Error::Run { failures, run } = &error else {
        panic!("{error:?}");
    };
    assert_eq!((&*failures[0].task, &*failures[0].kind), ("bad", "guest"));
    assert_eq!(failures[0].value, Some("no such thing".into()));
    assert_eq!(run.receipts["bad"].how, "failed");
    assert!(error.to_string().starts_with("src/main.rs:"), "{error}");
    let caught = workflow("caught", || {
        (
            mender::explain(mender::fail("so").error()),
            mender::fail("x").catch(Catch::Ok(5)),
        )
    });
    let (told, five) = caught.run()?.result;
    assert!(told.contains("so"));
    assert_eq!(five, 5);
    Ok(())
}

fn problems_have_places() {
    let bad = workflow("bad", || {
        zoo::echo_u32(zoo::echo_string("a").outcome());
        image::grayscale(File::new("nowhere.png"))
    });
    let Err(Error::Workflow { problems, .. }) = bad.check() else {
        panic!("it was taken");
    };
    assert_eq!(problems.len(), 2);
    for problem in problems {
        assert!(problem.starts_with("src/main.rs:"), "{problem}");
    }
    let twice = workflow("twice", || {
        zoo::echo_u32(1).label("a");
        zoo::echo_u32(2).label("a")
    });
    let error = twice.run().unwrap_err().to_string();
    assert!(error.contains("is called `a` already"), "{error}");
}
