import { colors, hue } from '../../../../server/wire/avatar.ts';
import type { RoomSummary } from '../../../../server/wire/events.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { Icon } from '../controls/icon.tsx';
import { Row } from '../controls/rows.tsx';
import { openEmoji } from '../emoji/open-emoji.tsx';
import { RemoveButton } from './remove-button.tsx';
import { RoomPicture } from './room-picture.tsx';

/** The colour, the emoji and the picture of a room; empty if not set. */
export interface Look {
  readonly color: NonNullable<RoomSummary['color']> | '';
  readonly emoji: string;
  readonly picture: string;
}

interface Props {
  readonly context: Context;
  readonly room: Room;
  readonly look: Look;
  change(look: Partial<Look>): void;
}

/** The rows that choose the colour, the emoji and the picture of a room. */
export function RoomLook({ context, room, look: { color, emoji, picture }, change }: Props) {
  const { chat, strings, layer } = context;
  const colorLabel = strings.text('settings.color');
  const emojiLabel = strings.text('emoji.open');
  const swatches = [
    { value: '', name: strings.text('settings.color.auto'), style: hue(room.id) },
    ...colors.map((value, n) => ({ value, name: strings.text(`color.${value}`), style: `h${n}` })),
  ] as const;
  return (
    <>
      <Row title={colorLabel}>
        <fieldset class="swatches" aria-label={colorLabel}>
          {swatches.map(({ value, name, style }) => (
            <input
              type="radio"
              name="room-color"
              key={value}
              class={`tile ${style}`}
              aria-label={name}
              title={name}
              checked={color === value}
              onChange={() => change({ color: value })}
            />
          ))}
        </fieldset>
      </Row>
      <Row title={emojiLabel}>
        {emoji !== '' && (
          <RemoveButton
            label={emojiLabel}
            text={strings.text('link.remove')}
            remove={() => change({ emoji: '' })}
          />
        )}
        <button
          type="button"
          class="icon sign"
          aria-label={emoji === '' ? emojiLabel : `${emojiLabel}: ${emoji}`}
          aria-haspopup="dialog"
          onClick={({ currentTarget: button }) => {
            void openEmoji(context, button, button, (chosen) => {
              button.focus();
              layer();
              change({ emoji: chosen });
            });
          }}
        >
          {emoji || <Icon name="emoji" />}
        </button>
      </Row>
      {chat.can.files && (
        <RoomPicture
          context={context}
          room={room}
          picture={picture}
          hasEmoji={emoji !== ''}
          change={(chosen) => change({ picture: chosen })}
          key={room.id}
        />
      )}
    </>
  );
}
