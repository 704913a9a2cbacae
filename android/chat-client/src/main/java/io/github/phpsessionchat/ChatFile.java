package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/** A file of a {@link Message}. {@link Chat#fileRequest} and {@link Chat#previewRequest} fetch it. */
public final class ChatFile {
  /** Size and blurred version of a picture. */
  public static final class Image {
    /** The width in pixels as displayed. */
    public final int width;
    /** The height in pixels as displayed. */
    public final int height;
    /** A BlurHash. A BlurHash library renders a blurred picture from this short string. */
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

  /** Data of playable sound. */
  public static final class Audio {
    /** The number of values in the volume of a voice message. */
    public static final int PEAKS = 46;

    /** The duration in milliseconds; 0: unknown. */
    public final long duration;
    /**
     * The volume of a voice message, as measured by the sender: {@link #PEAKS} values from {@code 0} to {@code v} (31 in base 32);
     * null for other sound.
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

  /** Data of a playable video. */
  public static final class Video {
    /** The width in pixels as displayed. */
    public final int width;
    /** The height in pixels as displayed. */
    public final int height;
    /** The duration in milliseconds; 0: unknown. */
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

  /** The file ID. */
  public final String id;
  /** The file name without a path. Another user may have chosen it. */
  public final String name;
  /** The MIME type detected from the content, such as {@code image/png}. */
  public final String type;
  /** The size in bytes. */
  public final long size;
  /** The alternative text, or null. */
  public final @Nullable String alt;
  /** Picture data; null if the file is not a picture with a preview. */
  public final @Nullable Image image;
  /** Sound data; null if the file is not sound that browsers can play. */
  public final @Nullable Audio audio;
  /** Video data; null if the file is not a video that browsers can play. */
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
   * Returns a copy with a different alternative text, for {@link MessageEdit#files}.
   *
   * @param alt up to 250 characters, or null
   * @return the copy
   */
  public ChatFile describedAs(@Nullable String alt) {
    return new ChatFile(id, name, type, size, alt, image, audio, video);
  }

  @Override
  public String toString() {
    return "file " + id;
  }
}
