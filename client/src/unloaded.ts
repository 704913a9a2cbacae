/** What stands in place of a chat that is not loaded yet, or could not be. */
export function unloaded(text: string, ...actions: [label: string, act: () => void][]): Element {
  const card = document.createElement('div');
  card.className = 'unloaded';
  card.role = 'status';
  card.append(text);
  for (const [label, act] of actions) {
    const button = document.createElement('button');
    button.textContent = label;
    button.addEventListener('click', act);
    card.append(button);
  }
  return card;
}
