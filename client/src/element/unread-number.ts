/** How many are unread, for the eye: beside words for those who do not see it; nothing at 0. */
export function unreadNumber(count: number, className: string): Node | '' {
  if (count === 0) return '';
  const number = document.createElement('span');
  number.className = className;
  number.ariaHidden = 'true';
  number.textContent = count > 99 ? '99+' : String(count);
  return number;
}
