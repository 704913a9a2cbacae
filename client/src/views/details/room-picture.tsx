import { Component } from 'preact';
import { type Upload, Uploads } from '../../chat/uploads.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { Icon } from '../controls/icon.tsx';
import { Row } from '../controls/rows.tsx';
import { hasThumbnail, Thumbnail } from '../files/thumbnail.tsx';
import { uploadProblem } from '../files/upload-problem.ts';
import { RoomFace } from '../rooms/room-face.tsx';
import { RemoveButton } from './remove-button.tsx';

interface Props {
  readonly context: Context;
  readonly room: Room;
  /** The ID of the picture; empty if the room has none. */
  readonly picture: string;
  readonly hasEmoji: boolean;
  change(picture: string): void;
}

interface State {
  /** The chosen picture, until the server has it. */
  readonly chosen: File | undefined;
}

/** The row that chooses, shows and removes the picture of a room. */
export class RoomPicture extends Component<Props, State> {
  override state: State = { chosen: undefined };

  override render({ context: { strings }, room, picture, hasEmoji, change }: Props, { chosen }: State) {
    const label = strings.text('settings.picture');
    return (
      <Row
        title={label}
        hint={picture !== '' && hasEmoji ? strings.text('settings.picture.hint') : undefined}
      >
        {picture !== '' && chosen === undefined && (
          <RemoveButton label={label} text={strings.text('link.remove')} remove={() => change('')} />
        )}
        <button
          type="button"
          class="icon sign"
          aria-label={strings.text('settings.picture.choose')}
          title={strings.text('settings.picture.choose')}
          aria-busy={chosen !== undefined}
          onClick={() => chosen === undefined && this.#choose()}
        >
          {chosen === undefined ? (
            picture === '' ? (
              <Icon name="picture" />
            ) : (
              <RoomFace summary={{ ...room.summary, picture }} size="s" />
            )
          ) : (
            <span class="tile s">
              {hasThumbnail(chosen.type) && <Thumbnail source={chosen} />}
              <span class="spin" />
            </span>
          )}
        </button>
      </Row>
    );
  }

  #choose(): void {
    const input = document.createElement('input');
    input.type = 'file';
    input.accept = 'image/*';
    input.addEventListener('change', () => {
      const [file] = input.files ?? [];
      if (file !== undefined) void this.#upload(file);
    });
    input.click();
  }

  async #upload(file: File): Promise<void> {
    const { context, room, change } = this.props;
    this.setState({ chosen: file });
    const upload = await uploadPicture(context, room, file);
    this.setState({ chosen: undefined });
    if (upload.stored !== undefined) return change(upload.stored.id);
    context.toast(uploadProblem(context, upload), 'bad');
    // A whole render adds the previous picture again.
    context.changed();
  }
}

/** Uploads the picture, and continues after a reconnect of the same user. */
function uploadPicture({ chat }: Context, room: Room, file: File): Promise<Upload> {
  const user = chat.me?.id;
  const uploads = new Uploads(
    chat.server,
    () => chat.connection.state.kind === 'ready' && chat.me?.id === user,
    () => chat.connection.ticket,
  );
  const follower = { ready: () => uploads.resume() };
  chat.followers.add(follower);
  return new Promise((resolve) => {
    const end = (upload: Upload) => {
      if (upload.stored === undefined && upload.problem === undefined) return;
      chat.followers.delete(follower);
      resolve(upload);
    };
    uploads.follow(end);
    end(uploads.add(room.id, file, chat.limits.file, { use: 'picture' }));
  });
}
