package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/**
 * The page of the first link in a {@link Message}. The server has fetched it, so the reader's device need not ask a
 * stranger's site.
 */
public final class LinkPreview {
  /** The address of the link. */
  public final String url;
  /** Null: the server is fetching the page, or has stopped before it came. After five seconds show the host alone. */
  public final @Nullable String title;
  /** Null: none. */
  public final @Nullable String description;
  /** A small picture for {@link Chat#fileRequest}; null: none. */
  public final @Nullable ChatFile image;

  LinkPreview(String url, @Nullable String title, @Nullable String description, @Nullable ChatFile image) {
    this.url = url;
    this.title = title;
    this.description = description;
    this.image = image;
  }

  @Override
  public String toString() {
    return title == null ? "a page on its way" : "a page";
  }
}
