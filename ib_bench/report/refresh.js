// A page of `ib-bench report --serve`: shows the store's new state as soon as there is one, unless a cell is being read.

{
  const version = document.body.dataset.version;
  const look = async () => {
    try {
      const now = await (await fetch("version")).text();
      if (now !== version && !document.querySelector("dialog[open]")) location.reload();
    } catch { /* the server has ended, or will answer the next time */ }
  };
  setInterval(look, 3000);
}
