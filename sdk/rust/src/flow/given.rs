//! What a workflow gives: values in place of tasks.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::error::Error;
use super::task::Task;
use super::value::Value;

/// What the function of a workflow may return: a task, or tasks in tuples, lists and maps.
pub trait Given {
    /// The same with values in place of tasks.
    type Values;

    /// Tells `visit` of the workflow and the place of each task.
    #[doc(hidden)]
    fn visit(&self, visit: &mut dyn FnMut(u64, usize));

    /// Puts values in place of tasks, from the outcome of each.
    #[doc(hidden)]
    fn values(
        &self,
        outcomes: &dyn Fn(usize) -> Result<Json, Error>,
    ) -> Result<Self::Values, Error>;
}

impl<T: Value> Given for Task<T> {
    type Values = T;

    fn visit(&self, visit: &mut dyn FnMut(u64, usize)) {
        visit(self.flow(), self.at());
    }

    fn values(&self, outcomes: &dyn Fn(usize) -> Result<Json, Error>) -> Result<T, Error> {
        let value = outcomes(self.at())?;
        let unread = || Error::input(format!("what a task gave is of another type: {value}"));
        T::read(&value).ok_or_else(unread)
    }
}

impl Given for () {
    type Values = ();

    fn visit(&self, _: &mut dyn FnMut(u64, usize)) {}

    fn values(&self, _: &dyn Fn(usize) -> Result<Json, Error>) -> Result<(), Error> {
        Ok(())
    }
}

impl<G: Given> Given for Vec<G> {
    type Values = Vec<G::Values>;

    fn visit(&self, visit: &mut dyn FnMut(u64, usize)) {
        self.iter().for_each(|one| one.visit(visit));
    }

    fn values(
        &self,
        outcomes: &dyn Fn(usize) -> Result<Json, Error>,
    ) -> Result<Self::Values, Error> {
        self.iter().map(|one| one.values(outcomes)).collect()
    }
}

impl<G: Given> Given for BTreeMap<String, G> {
    type Values = BTreeMap<String, G::Values>;

    fn visit(&self, visit: &mut dyn FnMut(u64, usize)) {
        self.values().for_each(|one| one.visit(visit));
    }

    fn values(
        &self,
        outcomes: &dyn Fn(usize) -> Result<Json, Error>,
    ) -> Result<Self::Values, Error> {
        let one = |(name, one): (&String, &G)| Ok((name.clone(), one.values(outcomes)?));
        self.iter().map(one).collect()
    }
}

macro_rules! tuples {
    ($($($name:ident $at:tt)+;)*) => {$(
        impl<$($name: Given),+> Given for ($($name,)+) {
            type Values = ($($name::Values,)+);

            fn visit(&self, visit: &mut dyn FnMut(u64, usize)) {
                $(self.$at.visit(visit);)+
            }

            fn values(&self, outcomes: &dyn Fn(usize) -> Result<Json, Error>) -> Result<Self::Values, Error> {
                Ok(($(self.$at.values(outcomes)?,)+))
            }
        }
    )*};
}

tuples! {
    A 0 B 1;
    A 0 B 1 C 2;
    A 0 B 1 C 2 D 3;
}
