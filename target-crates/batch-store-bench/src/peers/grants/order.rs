//! Sorting in memory, for the bound and for the peers that load sorted rows.

use std::collections::HashMap;

use batch_store::grants::Grant;

use super::{by_entitlement, by_principal};

/// Ordinals of the grants by id; the last of equal ids only.
pub(super) fn by_id(grants: &[Grant]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..grants.len() as u32).collect();
    let id = |at: &u32| grants[*at as usize].id.as_str();
    // Stable, and linear when the input is sorted already.
    order.sort_by(|a, b| id(a).cmp(id(b)));
    let mut last_wins: Vec<u32> = Vec::with_capacity(order.len());
    for at in order {
        match last_wins.last_mut() {
            Some(last) if id(last) == id(&at) => *last = at,
            _ => last_wins.push(at),
        }
    }
    last_wins
}

/// `ids` by entitlement, principal, id.
pub(super) fn entitlement_order(grants: &[Grant], ids: &[u32]) -> Vec<u32> {
    grouped(grants, ids, |grant| {
        let (entitlement, (kind, principal, _)) = by_entitlement(grant);
        (entitlement, kind, principal)
    })
}

/// `ids` by principal, id.
pub(super) fn principal_order(grants: &[Grant], ids: &[u32]) -> Vec<u32> {
    grouped(grants, ids, |grant| {
        let (kind, principal, _) = by_principal(grant);
        (kind, principal)
    })
}

/// A stable counting sort by the rank of the group, so that only distinct groups
/// are compared.
fn grouped<'a, G: Ord + std::hash::Hash + Copy>(
    grants: &'a [Grant],
    ids: &[u32],
    group: impl Fn(&'a Grant) -> G,
) -> Vec<u32> {
    let mut numbers: HashMap<G, u32> = HashMap::new();
    let mut number_of = Vec::with_capacity(ids.len());
    for &at in ids {
        let next = numbers.len() as u32;
        let key = group(&grants[at as usize]);
        number_of.push(*numbers.entry(key).or_insert(next));
    }
    let mut starts = vec![0; numbers.len()];
    number_of
        .iter()
        .for_each(|&number| starts[number as usize] += 1);
    let mut groups: Vec<(G, u32)> = numbers.into_iter().collect();
    groups.sort_unstable();
    let mut start = 0;
    for (_, number) in groups {
        let count = std::mem::replace(&mut starts[number as usize], start);
        start += count;
    }
    let mut order = vec![0; ids.len()];
    for (&at, &number) in ids.iter().zip(&number_of) {
        let place: &mut u32 = &mut starts[number as usize];
        order[*place as usize] = at;
        *place += 1;
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workloads::grants::generate_mixed;

    #[test]
    fn the_orders_are_those_of_a_plain_sort_with_the_last_duplicate() {
        let grants = generate_mixed(2000);
        let latest: std::collections::BTreeMap<&str, u32> = grants
            .iter()
            .zip(0..)
            .map(|(grant, at)| (grant.id.as_str(), at))
            .collect();
        let ids = by_id(&grants);
        assert_eq!(ids, latest.into_values().collect::<Vec<_>>());
        let of = |at: &u32| &grants[*at as usize];
        let mut expected = ids.clone();
        expected.sort_by_key(|at| by_entitlement(of(at)));
        assert_eq!(entitlement_order(&grants, &ids), expected);
        expected.sort_by_key(|at| by_principal(of(at)));
        assert_eq!(principal_order(&grants, &ids), expected);
    }
}
