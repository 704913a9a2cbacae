package io.github.phpsessionchat;

/** Which part of a room's history is listed. */
public final class HistoryView {
  /** Whether the list starts with the oldest message; if not, {@link Chat#loadOlder} loads more. */
  public final boolean atBeginning;
  /** Whether the list ends with the newest message; if not, {@link Chat#loadNewer} loads more. */
  public final boolean atEnd;
  /**
   * Whether the list has all changes known to the server; false before the room is joined and while changes are loaded.
   */
  public final boolean upToDate;

  HistoryView(boolean atBeginning, boolean atEnd, boolean upToDate) {
    this.atBeginning = atBeginning;
    this.atEnd = atEnd;
    this.upToDate = upToDate;
  }

  @Override
  public String toString() {
    return (atBeginning ? "beginning" : "middle") + " to " + (atEnd ? "end" : "middle");
  }
}
