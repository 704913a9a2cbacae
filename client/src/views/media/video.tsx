import { Component } from 'preact';
import type { MessageFile } from '../../../../server/wire/events.ts';
import { clock } from '../../text/clock.ts';
import type { Context } from '../context.ts';
import { Icon } from '../controls/icon.tsx';
import { addressOf } from '../files/address.ts';
import type { Player } from './player.ts';

/** Size limits in CSS pixels. For any size in the file, the play button fits and the video is not too tall. */
const WIDEST = 340;
const TALLEST = 320;
const LOWEST = 64;

interface Props {
  readonly context: Context;
  readonly player: Player;
  readonly file: MessageFile;
}

/** A video. It loads nothing before the first click, and then has the browser's own controls. */
export class ShownVideo extends Component<Props, { pressed: boolean; failed: boolean }> {
  override state = { pressed: false, failed: false };
  /** Set when the video was pressed. It stays, because another `src` would stop the video. */
  #address = '';
  #video: HTMLVideoElement | undefined;

  override render({ context, player, file }: Props) {
    const { strings, chat } = context;
    const { pressed, failed } = this.state;
    const { width = 16, height = 9, duration = 0 } = file.video ?? {};
    const inlineSize = `${Math.min(WIDEST, Math.max(160, (TALLEST * width) / height))}px`;
    const words = file.alt ?? file.name;
    return (
      <div
        class="video"
        style={{
          inlineSize,
          aspectRatio: `${width} / ${height}`,
          minBlockSize: `${LOWEST}px`,
          maxBlockSize: `${TALLEST}px`,
        }}
      >
        {pressed && !failed ? (
          // biome-ignore lint/a11y/useMediaCaption: users send videos without captions.
          <video
            crossorigin="use-credentials"
            src={this.#address}
            aria-label={words}
            controls
            autoplay
            playsInline
            ref={this.#shown}
            onPlay={({ currentTarget }) => player.give(currentTarget)}
            onError={() => this.setState({ failed: true })}
          />
        ) : (
          <>
            <button
              type="button"
              class="play"
              tabIndex={-1}
              aria-label={`${strings.text('media.playVideo', { time: clock(duration, strings) })}: ${words}`}
              onClick={() => {
                this.#address = addressOf(chat, file);
                this.setState({ pressed: true, failed: false });
              }}
            >
              <Icon name="play" />
            </button>
            <span class="len">
              {failed ? strings.text('media.failed') : duration > 0 && clock(duration, strings)}
            </span>
          </>
        )}
        {!pressed || failed ? (
          <a
            class="icon"
            href={addressOf(chat, file)}
            download={file.name}
            tabIndex={-1}
            aria-label={strings.text('file.download', { name: file.name })}
          >
            <Icon name="save" />
          </a>
        ) : null}
      </div>
    );
  }

  /** Focuses the video when it appears, and releases it when it is removed. */
  readonly #shown = (video: HTMLVideoElement | null) => {
    if (this.#video !== undefined) this.props.player.release(this.#video);
    this.#video = video ?? undefined;
    video?.focus({ preventScroll: true });
  };
}
