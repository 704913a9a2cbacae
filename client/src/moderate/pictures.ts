/** Pictures that only the moderators' page has. */
export const pictures = {
  tray: 'M4 13.5 6.5 5h11l2.5 8.5v6H4zM4 13.5h5a3 3 0 0 0 6 0h5',
};
