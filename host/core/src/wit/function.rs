//! Functions that a component exports.

use std::fmt::{self, Display, Formatter};

use super::Type;

/// A function that a component exports, at the top of its world or inside an interface.
///
/// Printed as WIT: `add: func(a: u32, b: u32) -> u32`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Function {
    /// The interface it is in, such as `acme:math/ops@0.1.0`; none if the world exports it itself.
    pub interface: Option<String>,
    /// Its name, such as `add` or `[method]counter.increment`.
    pub name: String,
    /// Its parameters, in order.
    pub params: Vec<(String, Type)>,
    /// What it returns, if anything.
    pub result: Option<Type>,
    /// Whether it is an `async func`.
    pub is_async: bool,
}

impl Function {
    /// Returns the one spelling that instructions use: `acme:math/ops@0.1.0#add`, or `add`.
    pub fn full_name(&self) -> String {
        match &self.interface {
            Some(interface) => format!("{interface}#{}", self.name),
            None => self.name.clone(),
        }
    }

    /// Returns the first handle among parameters and result. See [`Type::handle`].
    pub fn handle(&self) -> Option<&Type> {
        let types = self.params.iter().map(|(_, ty)| ty);
        types.chain(&self.result).find_map(Type::handle)
    }

    /// Whether it belongs to a resource: a constructor, a method or a static function.
    pub fn is_of_resource(&self) -> bool {
        self.name.starts_with('[')
    }
}

impl Display for Function {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let keyword = if self.is_async { "async func" } else { "func" };
        write!(f, "{}: {keyword}(", self.name)?;
        for (index, (name, ty)) in self.params.iter().enumerate() {
            let separator = if index > 0 { ", " } else { "" };
            write!(f, "{separator}{name}: {ty}")?;
        }
        f.write_str(")")?;
        match &self.result {
            Some(result) => write!(f, " -> {result}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_prints_as_wit_and_has_one_full_name() {
        let mut add = Function {
            interface: Some("acme:math/ops@0.1.0".into()),
            name: "add".into(),
            params: vec![("a".into(), Type::U32), ("b".into(), Type::U32)],
            result: Some(Type::U32),
            is_async: false,
        };
        assert_eq!(add.to_string(), "add: func(a: u32, b: u32) -> u32");
        assert_eq!(add.full_name(), "acme:math/ops@0.1.0#add");
        assert_eq!(add.handle(), None);

        add.interface = None;
        add.params.clear();
        add.result = None;
        add.is_async = true;
        assert_eq!(add.to_string(), "add: async func()");
        assert_eq!(add.full_name(), "add");

        add.result = Some(Type::list(Type::ErrorContext));
        assert_eq!(add.handle(), Some(&Type::ErrorContext));
    }
}
