package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.json.JSONArray;
import org.json.JSONObject;

/** A set of message numbers, as runs of consecutive numbers in ascending order. Immutable. */
final class Runs {
  static final Runs NONE = new Runs(Collections.emptyList());

  /** The first number of each run, and the number after its last. */
  private final List<long[]> runs;

  private Runs(List<long[]> runs) {
    this.runs = runs;
  }

  /** Reads {@code [[first, count], …]}. Runs that the server cannot have sent are ignored. */
  static Runs of(JSONObject json, String key) {
    JSONArray all = json.optJSONArray(key);
    if (all == null) return NONE;
    List<long[]> runs = new ArrayList<>();
    for (int n = 0; n < all.length(); n++) {
      JSONArray run = all.optJSONArray(n);
      if (run == null) continue;
      long first = run.optLong(0);
      long count = run.optLong(1);
      boolean isAfter = runs.isEmpty() || first > runs.get(runs.size() - 1)[1];
      if (first > 0 && count > 0 && first + count > first && isAfter) runs.add(new long[] {first, first + count});
    }
    return new Runs(runs);
  }

  Runs with(long seq) {
    List<long[]> now = new ArrayList<>();
    long first = seq;
    long end = seq + 1;
    int at = 0;
    for (long[] run : runs) {
      if (run[1] < seq) {
        now.add(run);
        at++;
      } else if (run[0] > seq + 1) {
        now.add(run);
      } else {
        first = Math.min(first, run[0]);
        end = Math.max(end, run[1]);
      }
    }
    now.add(at, new long[] {first, end});
    return new Runs(now);
  }

  /** Counts the numbers above {@code seq}. */
  long countAfter(long seq) {
    long sum = 0;
    for (long[] run : runs) sum += Math.max(0, run[1] - Math.max(run[0], seq + 1));
    return sum;
  }
}
