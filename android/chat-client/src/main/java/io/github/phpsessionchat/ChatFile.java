package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/** A file of a {@link Message}. {@link Chat#fileRequest} and {@link Chat#previewRequest} fetch it. */
public final class ChatFile {
  /** The facts about a picture before it is there. */
  public static final class Image {
    /** In pixels, as it is shown. */
    public final int width;
    /** In pixels, as it is shown. */
    public final int height;
    /** A BlurHash: a few characters that a library of that name makes a blurred picture of. */
    public final String blur;

    Image(int width, int height, String blur) {
      this.width = width;
      this.height = height;
      this.blur = blur;
    }

    @Override
    public String toString() {
      return width + " x " + height;
    }
  }

  /** The server's id of it. */
  public final String id;
  /** Its name, without a path. Others have chosen it. */
  public final String name;
  /** The type that its bytes have, such as {@code image/png}. */
  public final String type;
  /** How many bytes it has. */
  public final long size;
  /** A text for people who do not see it; null: none. */
  public final @Nullable String alt;
  /** Null: no picture that has a preview. */
  public final @Nullable Image image;

  ChatFile(String id, String name, String type, long size, @Nullable String alt, @Nullable Image image) {
    this.id = id;
    this.name = name;
    this.type = type;
    this.size = size;
    this.alt = alt;
    this.image = image;
  }

  /**
   * The same file for {@link MessageEdit#files}, told otherwise.
   *
   * @param alt up to 250 characters for who does not see it; null: nothing
   * @return another object
   */
  public ChatFile describedAs(@Nullable String alt) {
    return new ChatFile(id, name, type, size, alt, image);
  }

  @Override
  public String toString() {
    return "file " + id;
  }
}
