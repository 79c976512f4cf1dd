//! Sorting the rows of a load by key, and merging sorted ones.
//!
//! The sort compares eight bytes at a time, cached beside the row's number, and
//! goes eight bytes deeper only among rows that are equal so far (a multikey
//! sort with caching, after Bentley and Sedgewick 1997 and Ng and Kakehi 2008):
//! the keys of a load share long prefixes.

use crate::bulk::Slot;

/// Groups of at most this many rows are sorted by comparing whole keys.
const SMALL_GROUP: usize = 16;
/// Deeper than this, whole keys are compared: bounds the recursion.
const MAX_DEPTH: usize = 256;

#[derive(Clone, Copy)]
struct Item {
    word: u64,
    slot: u32,
}

/// Sorts by key, rows of equal keys by record number, and lays the arena out in
/// that order, so that whoever reads the rows reads forward.
pub(crate) fn sort(slots: &mut Vec<Slot>, arena: &mut Vec<u8>) {
    if slots.is_sorted_by(|a, b| a.key(arena) <= b.key(arena)) {
        return;
    }
    let key = |slot: u32| slots[slot as usize].key(arena);
    let mut items: Vec<Item> = (0..slots.len() as u32)
        .map(|slot| Item { word: 0, slot })
        .collect();
    let shared = (1..slots.len() as u32).fold(slots[0].key_len as usize, |shared, slot| {
        shared_prefix(&key(0)[..shared], key(slot))
    });
    sort_from(&mut items, &key, shared);
    let mut sorted_arena = Vec::with_capacity(arena.len());
    let sorted_slots = items.iter().map(|item| {
        let slot = slots[item.slot as usize];
        let start = sorted_arena.len();
        sorted_arena.extend_from_slice(slot.bytes(arena));
        Slot { start, ..slot }
    });
    *slots = sorted_slots.collect();
    *arena = sorted_arena;
}

fn shared_prefix(a: &[u8], b: &[u8]) -> usize {
    if b.starts_with(a) {
        return a.len();
    }
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Sorts items whose keys agree in their first `depth` bytes.
fn sort_from<'a>(items: &mut [Item], key: &impl Fn(u32) -> &'a [u8], depth: usize) {
    let ends_within = |item: &Item| key(item.slot).len() <= depth;
    if items.len() <= SMALL_GROUP || depth >= MAX_DEPTH || items.iter().any(ends_within) {
        items.sort_unstable_by(|a, b| key(a.slot).cmp(key(b.slot)).then(a.slot.cmp(&b.slot)));
        return;
    }
    for item in items.iter_mut() {
        item.word = word_at(key(item.slot), depth);
    }
    items.sort_unstable_by_key(|item| item.word);
    for group in items.chunk_by_mut(|a, b| a.word == b.word) {
        if group.len() > 1 {
            sort_from(group, key, depth + 8);
        }
    }
}

/// The eight bytes from `depth` on, most significant first, zeros after the end.
fn word_at(key: &[u8], depth: usize) -> u64 {
    let rest = &key[depth..];
    match rest.first_chunk::<8>() {
        Some(word) => u64::from_be_bytes(*word),
        None => {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            u64::from_be_bytes(word)
        }
    }
}

/// Merges sorted shards into one. Of equal keys the highest record number stays,
/// and `replaced` is told the others'.
pub(crate) fn merge(
    arenas: &[Vec<u8>],
    shards: Vec<Vec<Slot>>,
    mut replaced: impl FnMut(u32),
) -> Vec<Slot> {
    let key = |slot: &Slot| slot.key(&arenas[slot.arena as usize]);
    let total = shards.iter().map(Vec::len).sum();
    let mut merged: Vec<Slot> = Vec::with_capacity(total);
    let mut rest: Vec<&[Slot]> = shards.iter().map(Vec::as_slice).collect();
    rest.retain(|slots| !slots.is_empty());
    let follows = |pair: &[&[Slot]]| match (pair[0].last(), pair[1].first()) {
        (Some(last), Some(first)) => key(last) < key(first),
        _ => true,
    };
    if rest.windows(2).all(follows) {
        rest.iter()
            .for_each(|slots| merged.extend_from_slice(slots));
        return merged;
    }
    while rest.len() > 1 {
        // Shards are in the records' order, so of equal keys the later shard's stays.
        let mut least = 0;
        for at in 1..rest.len() {
            if key(&rest[at][0]) < key(&rest[least][0]) {
                least = at;
            }
        }
        let next = rest[least][0];
        rest[least] = &rest[least][1..];
        if rest[least].is_empty() {
            rest.remove(least);
        }
        match merged.last_mut() {
            Some(last) if key(last) == key(&next) => {
                replaced(last.record);
                *last = next;
            }
            _ => merged.push(next),
        }
    }
    for next in rest.first().copied().unwrap_or_default() {
        match merged.last_mut() {
            Some(last) if key(last) == key(next) => {
                replaced(last.record);
                *last = *next;
            }
            _ => merged.push(*next),
        }
    }
    merged
}
