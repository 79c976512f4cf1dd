"""Times indexing and searching: python benchmarks/bench_search.py"""

import random
import time

from tinysearch import Index

WORDS = [f"word{number}" for number in range(3000)]


def texts(count):
    source = random.Random(7)
    return [
        " ".join(WORDS[int(3000 * source.random() ** 3)] for _ in range(60)) + "."
        for _ in range(count)
    ]


def timed(name, work):
    start = time.perf_counter()
    result = work()
    print(f"{name:<8} {1e3 * (time.perf_counter() - start):8.1f} ms")
    return result


def main():
    documents = texts(600)
    index = timed("index", lambda: Index(documents))
    queries = [f"word0 word{number % 40} word1" for number in range(150)]
    hits = timed("search", lambda: sum(len(index.search(query)) for query in queries))
    assert hits > 0, "the queries find nothing"


if __name__ == "__main__":
    main()
