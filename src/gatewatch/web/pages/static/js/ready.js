// The last script of a page: all others have run.
document.documentElement.dataset.ready = "";
