// Shows which chat server this browser reaches, with a separate connection. Its first event contains the server's name.
const main = document.querySelector('main');
const now = document.getElementById('node');
const moves = document.getElementById('moves');
const { chat, none, unnamed } = main.dataset;

function show(name) {
  now.textContent = name;
  const move = document.createElement('li');
  const time = document.createElement('time');
  time.textContent = new Date().toLocaleTimeString(document.documentElement.lang);
  move.append(time, ' ', name);
  moves.prepend(move);
}

function connect() {
  const socket = new WebSocket(`${chat.replace(/^http/, 'ws')}/socket.io/?EIO=4&transport=websocket`);
  let ready = false;
  socket.addEventListener('message', ({ data }) => {
    if (data.startsWith('0')) socket.send('40');
    else if (data === '2') socket.send('3');
    else if (data.startsWith('42["session:ready",')) {
      ready = true;
      show(JSON.parse(data.slice(2))[1].node ?? unnamed);
    } else if (data.startsWith('44') && JSON.parse(data.slice(2)).data?.code === 'unauthorized') {
      // The page then shows the login form.
      location.reload();
    }
  });
  socket.addEventListener('close', () => {
    if (ready) show(none);
    // A random delay, so that not all clients of a stopped server reconnect at the same moment.
    setTimeout(connect, 1000 + Math.random() * 1000);
  });
}

connect();
