// The hook and the panel of the workspace documents, letter for letter but for the host: what applications have pasted.
// No formatter and no linter touches them. What `useAuthToken` is, the documents leave to the application.

import { useEffect, useState } from 'react';

function useNotifications(token, workspaceSlug) {
  const [notifications, setNotifications] = useState([]);
  const [connected, setConnected] = useState(false);

  useEffect(() => {
    if (!token || !workspaceSlug) return;

    const ws = new WebSocket(
      `wss://ws.example.com/?token=${encodeURIComponent(token)}&workspaceSlug=${workspaceSlug}`
    );

    ws.onopen = () => {
      setConnected(true);
      console.log('Connected to notifications');
    };

    ws.onmessage = (event) => {
      const notification = JSON.parse(event.data);
      setNotifications(prev => [notification, ...prev]);
    };

    ws.onclose = (event) => {
      setConnected(false);
      if (event.code === 4003) {
        console.log('Token expired — refresh and reconnect');
      }
    };

    ws.onerror = (error) => {
      console.error('WebSocket error:', error);
    };

    // Cleanup on unmount
    return () => {
      ws.close();
    };
  }, [token, workspaceSlug]);

  return { notifications, connected };
}

// Usage in component
function NotificationPanel() {
  const token = useAuthToken(); // Your auth token provider
  const { notifications, connected } = useNotifications(token, 'my-workspace');

  return (
    <div>
      <div>Status: {connected ? 'Connected' : 'Disconnected'}</div>
      {notifications.map(notif => (
        <div key={notif.id}>
          <h3>{notif.title}</h3>
          <p>{notif.message}</p>
        </div>
      ))}
    </div>
  );
}
