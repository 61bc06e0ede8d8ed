//! Order of need, and the circles that have none.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

/// Who waits for whom: for each task, the tasks it needs.
pub(super) type Edges = Vec<Vec<usize>>;

/// The tasks such that what is needed comes first, and otherwise as they are; or the circles, each of which begins
/// and ends with one task and names those that need each other in between.
///
/// Takes time by the number of tasks and needs.
pub(super) fn order(edges: &Edges) -> Result<Vec<usize>, Vec<Vec<usize>>> {
    let mut missing: Vec<usize> = edges.iter().map(Vec::len).collect();
    let mut waiting: Edges = vec![Vec::new(); edges.len()];
    for (task, needs) in edges.iter().enumerate() {
        for need in needs {
            waiting[*need].push(task);
        }
    }
    let free = (0..edges.len()).filter(|task| missing[*task] == 0);
    let mut free: BinaryHeap<_> = free.map(Reverse).collect();
    let mut order = Vec::with_capacity(edges.len());
    while let Some(Reverse(task)) = free.pop() {
        order.push(task);
        for next in &waiting[task] {
            missing[*next] -= 1;
            if missing[*next] == 0 {
                free.push(Reverse(*next));
            }
        }
    }
    if order.len() == edges.len() {
        return Ok(order);
    }
    Err(circles(edges, &missing))
}

/// The circles among the tasks that miss something. Each task is walked over once.
fn circles(edges: &Edges, missing: &[usize]) -> Vec<Vec<usize>> {
    let mut circles = Vec::new();
    let mut seen = vec![false; edges.len()];
    for start in (0..edges.len()).filter(|task| missing[*task] > 0) {
        let (mut path, mut on_path) = (Vec::new(), HashSet::new());
        let mut task = start;
        while !seen[task] {
            seen[task] = true;
            path.push(task);
            on_path.insert(task);
            // Among those that miss something, each needs another that does.
            match edges[task].iter().find(|need| missing[**need] > 0) {
                Some(need) => task = *need,
                None => break,
            }
        }
        if on_path.contains(&task) {
            let mut circle: Vec<usize> = path.into_iter().skip_while(|on| *on != task).collect();
            circle.push(task);
            circles.push(circle);
        }
    }
    circles
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_needed_comes_first() {
        let edges = vec![vec![2], vec![], vec![1], vec![0, 1]];
        assert_eq!(order(&edges), Ok(vec![1, 2, 0, 3]));
        assert_eq!(order(&Vec::new()), Ok(Vec::new()));
    }

    #[test]
    fn circles_are_shown() {
        let edges = vec![vec![1], vec![2], vec![1], vec![3], vec![]];
        let circles = order(&edges).unwrap_err();
        assert_eq!(circles, [vec![1, 2, 1], vec![3, 3]]);
    }

    #[test]
    fn long_chains_are_walked_without_recursion() {
        let chain = (0..100_000).map(|task| if task == 0 { vec![] } else { vec![task - 1] });
        assert_eq!(order(&chain.collect()).unwrap().len(), 100_000);
        let circle = (0..100_000).map(|task| vec![(task + 1) % 100_000]);
        assert_eq!(order(&circle.collect()).unwrap_err()[0].len(), 100_001);
    }

    proptest! {
        #[test]
        fn an_order_or_a_circle(edges in prop::collection::vec(prop::collection::vec(0..12usize, 0..3), 12)) {
            match order(&edges) {
                Ok(order) => {
                    let place = |task: usize| order.iter().position(|at| *at == task).expect("all are there");
                    for (task, needs) in edges.iter().enumerate() {
                        prop_assert!(needs.iter().all(|need| place(*need) < place(task)));
                    }
                }
                Err(circles) => {
                    prop_assert!(!circles.is_empty());
                    for circle in circles {
                        prop_assert_eq!(circle.first(), circle.last());
                        prop_assert!(circle.windows(2).all(|pair| edges[pair[0]].contains(&pair[1])));
                    }
                }
            }
        }
    }
}
