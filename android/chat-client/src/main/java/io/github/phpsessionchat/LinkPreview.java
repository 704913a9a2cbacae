package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/**
 * A preview of the first link in a {@link Message}. The server fetches the page, so the reader's device does not
 * contact an unknown site.
 */
public final class LinkPreview {
  /** The address. */
  public final String url;
  /** The title; null while the server fetches the page, or if that failed. After five seconds, show the host. */
  public final @Nullable String title;
  /** The description, or null. */
  public final @Nullable String description;
  /** A small picture for {@link Chat#fileRequest}, or null. */
  public final @Nullable ChatFile image;

  LinkPreview(String url, @Nullable String title, @Nullable String description, @Nullable ChatFile image) {
    this.url = url;
    this.title = title;
    this.description = description;
    this.image = image;
  }

  @Override
  public String toString() {
    return title == null ? "preview without title" : "preview";
  }
}
