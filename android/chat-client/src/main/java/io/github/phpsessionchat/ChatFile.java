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

  /** The facts about sound that can be played. */
  public static final class Audio {
    /** In milliseconds; 0: unknown. */
    public final long duration;
    /**
     * Of a voice message: how loud it is, in 46 equal steps from {@code 0} to {@code v} (31 in base 32), as its sender says.
     * Null: another sound.
     */
    public final @Nullable String peaks;

    Audio(long duration, @Nullable String peaks) {
      this.duration = duration;
      this.peaks = peaks;
    }

    @Override
    public String toString() {
      return duration + " ms";
    }
  }

  /** The facts about a video that can be played. */
  public static final class Video {
    /** In pixels, as it is shown. */
    public final int width;
    /** In pixels, as it is shown. */
    public final int height;
    /** In milliseconds; 0: unknown. */
    public final long duration;

    Video(int width, int height, long duration) {
      this.width = width;
      this.height = height;
      this.duration = duration;
    }

    @Override
    public String toString() {
      return width + " x " + height + ", " + duration + " ms";
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
  /** Null: no sound, or one that browsers do not play. */
  public final @Nullable Audio audio;
  /** Null: no video, or one that browsers do not play. */
  public final @Nullable Video video;

  ChatFile(
      String id,
      String name,
      String type,
      long size,
      @Nullable String alt,
      @Nullable Image image,
      @Nullable Audio audio,
      @Nullable Video video) {
    this.id = id;
    this.name = name;
    this.type = type;
    this.size = size;
    this.alt = alt;
    this.image = image;
    this.audio = audio;
    this.video = video;
  }

  /**
   * The same file for {@link MessageEdit#files}, told otherwise.
   *
   * @param alt up to 250 characters for who does not see it; null: nothing
   * @return another object
   */
  public ChatFile describedAs(@Nullable String alt) {
    return new ChatFile(id, name, type, size, alt, image, audio, video);
  }

  @Override
  public String toString() {
    return "file " + id;
  }
}
