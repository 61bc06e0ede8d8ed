use std::collections::BTreeSet;

use crate::zoo;
use homestar_sdk::flow::{Arg, Catch, Task, Workflow, list, some, workflow};

pub fn flow() -> Workflow<Task<zoo::Person>> {
    workflow("values", || {
        let seven = zoo::echo_u32(7);
        let one = zoo::echo_f64(1.0);
        let text = zoo::echo_string("null \"é\"\n");
        let person = zoo::echo_person(zoo::Person::of(
            "Ada",
            None,
            zoo::Point::of(&one, 2.5),
            Some(zoo::Point { x: 0.5, y: -0.0 }),
            vec![1, 2, 3],
            list!["a", &text],
            Some(zoo::Color::DarkGrey),
        ));
        zoo::echo_list_person(list![&person]);
        zoo::echo_shape(zoo::Shape::rectangle((Arg::from(1.0), Arg::from(&one))));
        zoo::echo_shape(zoo::Shape::Nothing);
        zoo::echo_shape(zoo::Shape::maybe(some(&seven)));
        let permissions = [zoo::Permissions::ListAll, zoo::Permissions::Read];
        zoo::echo_permissions(BTreeSet::from(permissions));
        zoo::echo_option(None);
        zoo::echo_option_option(Some(None));
        zoo::echo_list_option(list![Some(1), None, some(&seven)]);
        zoo::echo_list_bytes(list![vec![], vec![255]]);
        zoo::echo_pairs(vec![("b".to_owned(), 1), ("a".to_owned(), u64::MAX)]);
        zoo::echo_result_nested(Ok(Err("bad".to_owned())));
        zoo::echo_result(Err(())).catch(Catch::Ok(()));
        zoo::echo_tuple_nested(((255, true), Some(('ö', -1.5))));
        zoo::echo_f64(1e300);
        zoo::echo_f64(f64::NAN);
        zoo::echo_s64(i64::MIN);
        zoo::numbers_twice(&seven);
        zoo::words_twice(&text);
        zoo::nothing();
        person
    })
}
