import { expect, test } from 'vitest';
import { pollIn } from '../../client/src/text/poll-in-text.ts';

test('finds the options in a row of emoji, or in lines that start with an emoji', () => {
  const options = ['🍕', '🥗', '🍲'];
  expect(pollIn('🍕 🥗 🍲, vote with a reaction')).toEqual({ text: 'vote with a reaction', options });
  expect(pollIn('Lunch? 🍕  🥗 🍲')).toEqual({ text: 'Lunch?', options });
  expect(pollIn('🍕 🥗 🍲 🍜: vote')).toEqual({ text: 'vote', options: [...options, '🍜'] });
  expect(pollIn('Lunch:\n🍕 pizza\n\n🥗 salad, with bread\n')).toEqual({
    text: 'Lunch',
    options: ['🍕 pizza', '🥗 salad, with bread'],
  });
});

test('finds no poll in other texts', () => {
  const texts = [
    '',
    'Well done 🎉 🥳',
    '🎉 🎉 🎉 hurray',
    '🍕 🥗 🍲',
    '🍕 pizza',
    'a 🍕🥗🍲',
    '1 2 3 go',
    '🍕 a\n🍕 a\nb?',
  ];
  for (const text of texts) expect([text, pollIn(text)]).toEqual([text, null]);
  const eleven = [...'🍏🍎🍐🍊🍋🍌🍉🍇🍓🫐🍈'].join(' ');
  expect(pollIn(`Which? ${eleven}`)).toBeNull();
});
