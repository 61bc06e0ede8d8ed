wit_bindgen::generate!({ path: "wit" });
use exports::my::bare::tasks::{Guest, Point};
struct Tasks;
impl Guest for Tasks {
    fn add(a: u32, b: u32) -> u32 {
        a.wrapping_add(b)
    }
    fn moved(point: Point, by: f64) -> Point {
        Point {
            x: point.x + by,
            y: point.y + by,
            name: point.name,
        }
    }
    fn greet(name: String) -> String {
        let mut s = String::from("Hello, ");
        s.push_str(&name);
        s
    }
}
export!(Tasks);
