/** Icons that only the moderators' page uses. */
export const pictures = {
  tray: 'M4 13.5 6.5 5h11l2.5 8.5v6H4zM4 13.5h5a3 3 0 0 0 6 0h5',
  chart: 'M4 20h16M7 16v-5M12 16V6M17 16v-8',
  eraser: 'M9 20h11M4.5 15.5 14 6l5.5 5.5L11 20H8.5zM10 10l5.5 5.5',
};
