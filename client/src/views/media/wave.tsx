import { createRef } from 'preact';
import { clock } from '../../text/clock.ts';
import type { Context } from '../context.ts';
import type { Player, Sound } from './player.ts';

const HEIGHT = 28;
const STEP = 5;
const SEEK_MS = 5000;

/** Loudness as lines. Levels range from 0 to 1. */
export function Lines({ levels }: { readonly levels: readonly number[] }) {
  const lines = levels.map((level, n) => {
    const half = 0.7 + Math.min(1, level) * 9.8;
    return `M${(n + 0.5) * STEP} ${(HEIGHT / 2 - half).toFixed(1)}v${(2 * half).toFixed(1)}`;
  });
  return (
    <svg viewBox={`0 0 ${levels.length * STEP} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <path d={lines.join('')} />
    </svg>
  );
}

export const levelsOf = (peaks: string): number[] =>
  [...peaks].map((digit) => Number.parseInt(digit, 32) / 31);

interface PositionProps {
  readonly context: Context;
  readonly player: Player;
  readonly sound: Sound;
}

/** The part that was played, as `--at` in percent. */
export const played = (player: Player, sound: Sound): { '--at': string } => {
  const duration = player.duration(sound);
  return { '--at': `${duration > 0 ? Math.min(100, (player.at(sound) / duration) * 100) : 0}%` };
};

/** The slider for the position in a sound. The arrow keys move it by five seconds. */
export function Position({ context, player, sound }: PositionProps) {
  const { strings } = context;
  const input = createRef<HTMLInputElement>();
  const [at, duration] = [player.at(sound), player.duration(sound)];
  const key = (event: KeyboardEvent) => {
    const isMirrored = input.current !== null && getComputedStyle(input.current).direction === 'rtl';
    const forward = isMirrored ? 'ArrowLeft' : 'ArrowRight';
    const steps: Record<string, number> = { Home: 0, End: duration };
    if (event.key === 'ArrowLeft' || event.key === 'ArrowRight')
      player.seek(sound, player.at(sound) + (event.key === forward ? SEEK_MS : -SEEK_MS));
    else if (event.key in steps) player.seek(sound, steps[event.key] ?? 0);
    else return;
    event.preventDefault();
    // The messages around it handle the same keys.
    event.stopPropagation();
  };
  return (
    <input
      ref={input}
      type="range"
      min={0}
      max={Math.max(1, Math.ceil(duration / 1000))}
      step="any"
      value={at / 1000}
      tabIndex={-1}
      aria-label={strings.text('media.position')}
      aria-valuetext={strings.text('media.at', {
        time: clock(at, strings),
        total: clock(duration, strings),
      })}
      onInput={({ currentTarget }) => player.seek(sound, Number(currentTarget.value) * 1000)}
      onKeyDown={key}
    />
  );
}
