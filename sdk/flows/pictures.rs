use crate::image;
use homestar_sdk::flow::{Catch, File, Link, Task, Workflow, workflow};

fn pictures(photo: File) -> Workflow<Vec<Task<Vec<u8>>>> {
    let flow = workflow("pictures", || {
        let face = image::crop(photo, 120, 40, 200, 180);
        let grey = image::grayscale(face);
        // Loops are unrolled.
        let blurred: Vec<_> = [0.1, 2.0].map(|sigma| image::blur(&grey, sigma)).into();
        let again = image::rotate90(&blurred[0])
            .label("again")
            .grant(["random"])
            .catch(Catch::Rewire(blurred[1].clone()));
        let known = Link::new("bafkreibddp4j24tie2eryflyvd76a2wytdtq5swuvwyhm2gc3g7mu42lbq");
        let turned = image::rotate90(known).catch(Catch::Ok(vec![1, 2, 3, 4]));
        let none = image::grayscale(&b"\x89PNG"[..]).catch(Catch::Message("no picture".into()));
        vec![again, turned, none]
    });
    let limits = [("memory".to_owned(), "256MiB".into())];
    flow.default("retry", 3)
        .default("limits", serde_json::Map::from_iter(limits))
}

pub fn flow() -> Workflow<Vec<Task<Vec<u8>>>> {
    pictures(File::new("cat.png"))
}
