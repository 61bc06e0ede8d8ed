#[homestar_sdk::tasks]
mod tasks {
    pub struct Point {
        pub x: f64,
        pub y: f64,
        pub name: String,
    }
    pub fn add(a: u32, b: u32) -> u32 {
        a.wrapping_add(b)
    }
    pub fn moved(point: Point, by: f64) -> Point {
        Point {
            x: point.x + by,
            y: point.y + by,
            name: point.name,
        }
    }
    pub fn greet(name: &str) -> String {
        let mut s = String::from("Hello, ");
        s.push_str(name);
        s
    }
}
