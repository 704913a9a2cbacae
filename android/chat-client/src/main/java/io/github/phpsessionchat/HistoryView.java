package io.github.phpsessionchat;

/** Which part of a room's history is shown. */
public final class HistoryView {
  /** Whether nothing older is left: else {@link Chat#loadOlder} has more. */
  public final boolean atBeginning;
  /** Whether the newest message is the last of the list: else {@link Chat#loadNewer} has more. */
  public final boolean atEnd;
  /** Whether all is known that the server has: false before the room was joined, and while something is fetched. */
  public final boolean upToDate;

  HistoryView(boolean atBeginning, boolean atEnd, boolean upToDate) {
    this.atBeginning = atBeginning;
    this.atEnd = atEnd;
    this.upToDate = upToDate;
  }

  @Override
  public String toString() {
    return (atBeginning ? "begins" : "goes on") + " to " + (atEnd ? "the end" : "the midst");
  }
}
