import { colors, hue } from '../../../../server/wire/avatar.ts';
import type { RoomSummary } from '../../../../server/wire/events.ts';
import { Icon } from '../controls/icon.tsx';
import { Avatar } from '../people/avatar.tsx';

type Face = Pick<RoomSummary, 'id' | 'name' | 'kind' | 'with' | 'color' | 'emoji' | 'picture'>;

/**
 * The picture of a room: the avatar of a direct room's peer, otherwise a tile with the room's emoji and colour, to
 * which `RoomPictures` adds the picture. Screen readers ignore it, because the room's name is always next to it.
 *
 * @param size - a class of `.avatar`
 */
export function RoomFace({ summary, size = '' }: { summary: Face; size?: string }) {
  const { id, name, kind, with: peer, color, emoji, picture } = summary;
  if (kind === 'direct') return <Avatar user={peer ?? { id, name }} kind={size} />;
  const hueClass = color === undefined ? hue(id) : `h${colors.indexOf(color)} vivid`;
  return (
    <span class={`tile ${hueClass} ${size}`.trim()} data-picture={picture} aria-hidden="true">
      {emoji ?? <Icon name={kind === 'private' ? 'lock' : 'hash'} />}
    </span>
  );
}
