"""scikit-learn's side of the forest benchmark, one JSON object a line.

Fits an isolation forest on the rows it is given, prints its trees, then times `score_samples` as often as it is asked.
"""
import json
import sys
import time

import numpy as np
from sklearn.ensemble import IsolationForest

first = json.loads(sys.stdin.readline())
rows = np.fromfile(first["file"], dtype=np.float32).reshape(-1, first["features"])
forest = IsolationForest(n_estimators=first["trees"], max_samples=256, random_state=1).fit(rows)


def tree(estimator, features):
    t = estimator.tree_
    # A tree that was grown from some of the columns names them by their position among those.
    feature = [int(features[f]) if f >= 0 else 0 for f in t.feature]
    return {
        "left": t.children_left.tolist(),
        "right": t.children_right.tolist(),
        "feature": feature,
        "threshold": t.threshold.tolist(),
        "count": t.n_node_samples.tolist(),
    }


def say(answer):
    print(json.dumps(answer), flush=True)


say({"trees": [tree(e, f) for e, f in zip(forest.estimators_, forest.estimators_features_)]})
for line in sys.stdin:
    asked = json.loads(line)
    batch = rows[: asked["rows"]]
    started = time.perf_counter()
    for _ in range(asked["repeat"]):
        scores = forest.score_samples(batch)
    seconds = (time.perf_counter() - started) / asked["repeat"]
    say({"ms": 1000 * seconds, "scores": (-scores).tolist() if asked.get("scores") else None})
